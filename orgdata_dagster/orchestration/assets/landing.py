"""Landing: the flow from a vendor's pages to committed partitions, the same for all vendors.

Here: `land`, which runs a vendor's pull for every partition of a run, commits each partition, and reports to Dagster.
Add here when: the flow changes for every vendor. Keep out: paging (a vendor's client), SQL (warehouse/).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import dagster as dg
import duckdb

from orgdata_dagster import settings
from orgdata_dagster.counting import counted
from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.orchestration import telemetry
from orgdata_dagster.orchestration.assets import metadata, resuming
from orgdata_dagster.orchestration.assets.each_partition import each_partition
from orgdata_dagster.orchestration.assets.failures import explained, failure
from orgdata_dagster.orchestration.assets.intake import Arrival, Intake, Pull, Pulled, Room
from orgdata_dagster.orchestration.assets.interrupts import INTERRUPTS, interrupted
from orgdata_dagster.orchestration.assets.progress import Progress, report
from orgdata_dagster.orchestration.assets.reporting import Reports, keep_landed, result
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.assets.waits import report_wait, reporting_waits
from orgdata_dagster.orchestration.checks.results import Landed, of_refused
from orgdata_dagster.orchestration.instance.run_claims import claim
from orgdata_dagster.orchestration.partitions import bounds
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.state import stopping
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.evolution import expected_types
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.commit.stored_rows import stored_rows
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit, record_requests
from orgdata_dagster.warehouse.errors import UnreadablePage, WarehouseDamaged, WarehouseError, WarehouseUnavailable
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.columns import names_of
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.ledger.state import state_of
from orgdata_dagster.warehouse.pages.column_names import ColumnNames
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder

_MANY_ROWS = 20_000
_GONE = (WarehouseUnavailable, WarehouseDamaged)


@dataclass
class _Run:
    """The state of one step while its partitions land."""

    context: dg.AssetExecutionContext
    warehouse: Warehouse
    target: Target
    declared: Mapping[str, str]
    requests: RequestLog
    scratch: duckdb.DuckDBPyConnection
    folder: Path
    reports: Reports
    known: dict[str | None, tuple[Interval, ...]] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    names: ColumnNames = field(default_factory=ColumnNames)
    total: int = 0
    landed: dict[str | None, metadata.Metadata] = field(default_factory=dict)
    found: Landed = field(default_factory=Landed)
    rows: int = 0
    superseded: int = 0
    repeated: set[str | None] = field(default_factory=set)
    room: Room = field(default_factory=Room)

    def look_up(self, partitions: Sequence[str | None]) -> list[str | None]:
        """Read the table's state before the run; returns the partitions to pull."""
        if not self.warehouse.exists:
            return list(partitions)
        resumed = resuming.since(self.context.instance, self.context.run)
        with self.warehouse.reading(self.scratch) as connection:
            self.known = coverage.known(connection, self.target.table)
            self.state = state_of(connection, self.target.table)
            columns = table_columns(connection, self.target.table)
            self.expected = expected_types(connection, self.target.table) if columns else {}
            self.names = names_of(connection, self.target.table, columns)
            done = coverage.landed_since(connection, self.target.table, resumed) if resumed else set()
        if done := done & set(partitions):
            self.context.log.info(f"continues a run that landed {len(done)} of {counted(self.total, 'partition')}")
            for partition in done:
                self.landed[partition] = metadata.resumed(self.known.get(partition, ()), self.window(partition))
        return [partition for partition in partitions if partition not in done]

    def window(self, partition: str | None) -> tuple[datetime, datetime] | None:
        """The time window of a partition; None for a whole table and for a snapshot."""
        partitions = self.context.assets_def.partitions_def
        timed = isinstance(partitions, dg.TimeWindowPartitionsDefinition) and not self.target.snapshots
        return bounds(partitions, partition) if timed and partition else None

    def arrive(self, partition: str | None, pull: Pull) -> Arrival:
        """Pull one partition, and pull it again if the conversion of its rows finds a malformed page."""
        try:
            return self._arrive(partition, pull)
        except UnreadablePage as error:
            return self.arrive_again(partition, pull, error)

    def arrive_again(self, partition: str | None, pull: Pull, error: UnreadablePage) -> Arrival:
        """Pull a partition again after a malformed page. Raises the error if that has been tried already."""
        if partition in self.repeated:
            raise error
        self.repeated.add(partition)
        self.warn(partition, f"{error}. It is pulled again.")
        return self._arrive(partition, pull)

    def _arrive(self, partition: str | None, pull: Pull) -> Arrival:
        known, stored = self.known.get(partition, ()), partial(self.stored, partition)
        accept = self.context.run.tags.get(ACCEPT_SHRINK_TAG) == "true"
        intake = Intake(partition, self.folder, self.ready_rows, known, self.state, stored, accept, room=self.room)
        try:
            pulled = pull(intake)
            if not isinstance(pulled, Pulled):  # the pull may be the user's own code
                wrong = f"the pull must return a Pulled, not {type(pulled).__name__}"
                raise PermanentError(wrong, remedy="Correct the code of the pull.")
            arrival = Arrival(intake, pulled)
            intake.ready.finish()  # here and not in the commit, for which several threads would wait
            if (ready := intake.ready).begun and not self.expected:  # a new table: further pulls expect these types
                self.expected = ready.stage.guessed
            return arrival
        except BaseException:
            intake.close()
            raise

    def stored(self, partition: str | None, values: Mapping[str, str], after: datetime | None) -> int:
        """Number of stored rows of a partition; see Intake."""
        if not self.warehouse.exists:
            return 0
        with self.warehouse.reading() as connection:
            return stored_rows(connection, self.target, partition, values, after)

    def ready_rows(self) -> ReadyRows:
        """An empty table in memory for the rows of one partition."""
        return ReadyRows(self.stage(), self.target)

    def stage(self) -> Stage:
        """A new stage with its own cursor on the connection."""
        return Stage(
            self.scratch.cursor(),
            cursor=self.target.cursor,
            declared=self.declared,
            expected=self.expected,
            names=self.names,
        )

    def warn(self, partition: str | None, text: str) -> None:
        """Log a warning about a partition."""
        self.context.log.warning(f"{self.target.table} {partition or ''}".rstrip() + f": {text}")

    def commit(self, arrivals: Sequence[Arrival]) -> dict[str | None, Exception]:
        """Commit partitions together; returns partition -> error. If one cannot land, the others land without it."""
        try:
            self._commit(arrivals)
        except Exception as error:  # noqa: BLE001 - is reported with the errors of the other partitions
            if isinstance(error, _GONE):
                self.warehouse.patience = 0  # the first commit has waited long enough: further commits fail at once
            elif len(arrivals) > 1 and isinstance(error, WarehouseError):
                return {name: error for arrival in arrivals for name, error in self.commit([arrival]).items()}
            for arrival in arrivals:
                arrival.intake.close()
            return {arrival.partition: error for arrival in arrivals}
        return {}

    def _commit(self, arrivals: Sequence[Arrival]) -> None:
        ready = [arrival.intake.ready for arrival in arrivals]
        stage = ready[0].stage if len(ready) == 1 else self._joined(ready)
        loads = [arrival.load() for arrival in arrivals]
        calls, run_id = self.requests.take(), self.context.run.run_id
        # for a small commit, a second thread costs more than it saves
        alone = self.total == 1 and sum(arrival.intake.row_count for arrival in arrivals) >= _MANY_ROWS
        warehouse = self.warehouse.alone() if alone else self.warehouse
        began = time.monotonic()
        try:
            done = commit(warehouse, self.target, stage, loads, run_id=run_id, requests=calls, ready=ready)
        except BaseException:
            self.requests.give_back(calls)  # the requests were sent, even if their rows did not land
            raise
        finally:
            stage.close_files()
        telemetry.committed(self.target.table.schema, self.target.table.name, done.inserted, time.monotonic() - began)
        self.expected = dict(done.expected)
        self.found.add(done, sum(arrival.intake.row_count for arrival in arrivals if arrival.partition in done.rows))
        for load, arrival in zip(loads, arrivals, strict=True):
            self._note(load, done, arrival.intake)
            arrival.intake.close()
        if len(self.landed) < self.total:  # the last partitions are reported when the step ends
            self.reports.add({load.partition: self.landed[load.partition] for load in loads})
        self._log_landed(loads, done)
        self._log_superseded(done)
        self.progress()

    def _log_landed(self, loads: Sequence[PartitionLoad], done: CommitResult) -> None:
        """Log one line per commit, so that a long run shows its progress every few seconds."""
        names = sorted(str(load.partition) for load in loads if load.partition)
        which = f" {names[0]}" if len(names) == 1 else f" {names[0]} to {names[-1]}" if names else ""
        changes = f", columns changed: {', '.join(map(str, done.changes))}" if done.changes else ""
        rows, pages = counted(done.inserted, "row"), counted(sum(load.pages for load in loads), "page")
        requests, waited = counted(self.requests.count, "request"), f"{self.requests.waited:.0f} s"
        self.context.log.info(
            f"{self.target.table}{which}: {rows} on {pages} landed ({len(self.landed)} of {self.total}; so far "
            f"{requests}, {waited} of waiting for the rate limit){changes}"
        )

    def _log_superseded(self, done: CommitResult) -> None:
        self.superseded += len(done.superseded)
        for partition in sorted(done.superseded, key=str):
            self.warn(
                partition,
                "superseded: the warehouse already has a newer snapshot, so the rows of this pull were not stored",
            )

    def _joined(self, ready: Sequence[ReadyRows]) -> Stage:
        stage = self.stage()
        for each in ready:
            if each.begun:
                stage.absorb(each.stage)
                continue
            for staged in each.stage.pages:  # small pages of several partitions are inspected together
                stage.add(staged)
        return stage

    def _note(self, load: PartitionLoad, done: CommitResult, intake: Intake) -> None:
        rows = done.rows.get(load.partition, 0)
        self.landed[load.partition] = metadata.of_partition(load, done, intake.watermark, self.window(load.partition))
        self.found.shrunk += intake.shrunk if load.partition in done.rows else []
        self.found.cover(load.partition, load.coverage)
        self.rows += rows

    def progress(self) -> None:
        """Report the progress of the run."""
        asset = self.context.asset_key.to_user_string()
        report(
            Progress(
                asset,
                len(self.landed),
                self.total,
                self.rows,
                self.requests.count,
                self.requests.waited,
                superseded=self.superseded,
            )
        )


def land(
    context: dg.AssetExecutionContext,
    *,
    warehouse: Warehouse,
    target: Target,
    pull: Pull,
    requests: RequestLog,
    declared: Mapping[str, str],
    partitions: Sequence[str | None],
    workers: int = 1,
) -> dg.MaterializeResult:
    """Pull and commit partitions. Landed partitions are kept, also if the run fails or is stopped.

    target: the table's rules.
    declared: column -> its declared type.
    partitions: the partitions to pull; [None] for a table without partitions.
    workers: number of partitions that are pulled at once; several are committed together.

    A run that continues another one (resuming.py) skips the partitions that the other run has landed.

    Raises dagster.Failure with the reason per failed partition; after a permanent failure no further partition is
    started. Raises dagster.DagsterExecutionInterruptedError if the run is stopped.
    """
    warehouse.notify = partial(report_wait, context)
    with explained(context), reporting_waits(context, target.table.schema):
        claim(context.instance, context.run)
        with owned_folder(settings.staging()) as folder, warehouse.scratch_connection() as scratch:
            reports = Reports(context, partitions)
            run = _Run(context, warehouse, target, declared, requests, scratch, folder, reports, total=len(partitions))
            missing = run.look_up(partitions)
            run.progress()
            try:
                errors, untried = each_partition(run, missing, pull, workers)
            except INTERRUPTS as error:
                raise interrupted(len(run.landed), run.total) from error
            finally:
                _record_requests(run)
                telemetry.flush()
        if errors:
            keep_landed(context, run.reports.rest(run.landed))
            for check in of_refused(context.asset_key, errors.values()):
                context.log_event(check)
            raise failure(context, errors, untried=untried)
        try:
            return result(context, warehouse, target, run.reports.rest(run.landed), run.found)
        except _GONE:
            keep_landed(context, run.reports.rest(run.landed))
            raise
        except stopping.Stopped as error:
            raise interrupted(len(run.landed), run.total) from error


def _record_requests(run: _Run) -> None:
    try:
        record_requests(run.warehouse, run.requests.take(), run_id=run.context.run.run_id)
    except (*_GONE, stopping.Stopped) as error:  # the rows have landed anyway
        why = reason(error) if isinstance(error, Exception) else "the run was stopped while it waited for the warehouse"
        run.context.log.warning(f"the requests since the last commit are not recorded: {why}")
