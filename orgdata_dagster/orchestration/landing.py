"""Landing: the flow from a vendor's pages to committed partitions, the same for all vendors.

Here: `land`, which runs a vendor's pull for every partition of a run, commits each as it comes, and tells the UI.
Add here: what holds for the flow whichever vendor. Keep out: paging (a vendor's client), SQL (warehouse/).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import dagster as dg
import duckdb

from orgdata_dagster import settings
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import redact
from orgdata_dagster.orchestration import metadata
from orgdata_dagster.orchestration.failures import failure, is_permanent
from orgdata_dagster.orchestration.measured import MeasuredPage, csv_reader
from orgdata_dagster.orchestration.progress import Progress, report
from orgdata_dagster.orchestration.request_log import RequestLog
from orgdata_dagster.orchestration.staging import staging_folder
from orgdata_dagster.warehouse import coverage
from orgdata_dagster.warehouse.commit import Committed, PartitionLoad, Target, commit, record_requests
from orgdata_dagster.warehouse.connection import Warehouse
from orgdata_dagster.warehouse.evolution import expected_types
from orgdata_dagster.warehouse.ledger import Interval
from orgdata_dagster.warehouse.stage import Stage, StagedPage

COVERAGE_CHECK = "coverage"


@dataclass
class Intake:
    """Where a pull puts the pages of one partition. It counts while it takes them in."""

    partition: str | None
    stage: Stage
    folder: Path
    connection: duckdb.DuckDBPyConnection
    known: tuple[Interval, ...] = ()
    pages: int = 0
    bytes: int = 0
    requests: int = 0
    waited: float = 0.0
    first_answer: datetime | None = None
    watermark: datetime | None = None

    def reader(self, cursor: str | None) -> Callable[[Download], MeasuredPage]:
        """A reader for the client; it counts what every page cost, also one that is not taken."""
        measure = csv_reader(self.connection, cursor)

        def read(download: Download) -> MeasuredPage:
            page = measure(download)
            self.bytes += download.bytes
            self.requests += download.attempts
            self.waited += download.waited
            self.first_answer = self.first_answer or download.server_time
            return page

        return read

    def take(self, page: MeasuredPage, *, after: datetime | None = None, until: datetime | None = None) -> None:
        """Stage a page, of which only the rows with `after < cursor <= until` belong to the partition."""
        self.stage.add(StagedPage(page.csv, self.partition, after, until, page.extent.kept(after, until)))
        self.pages += 1
        if page.highest is not None:
            self.watermark = max(filter(None, (self.watermark, page.highest)))


@dataclass(frozen=True)
class Pulled:
    """What a pull found out about its partition, besides the pages: see PartitionLoad."""

    as_of: datetime
    coverage: tuple[Interval, ...] = ()
    after: datetime | None = None


Pull = Callable[[Intake], Pulled]


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
    known: dict[str | None, tuple[Interval, ...]] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    total: int = 0
    landed: dict[str | None, metadata.Metadata] = field(default_factory=dict)
    gaps: list[tuple[str | None, Interval]] = field(default_factory=list)
    pages: int = 0
    rows: int = 0

    def look_up(self) -> None:
        """Read what the warehouse knows of the table before the run."""
        if self.warehouse.exists:
            with self.warehouse.reading() as connection:
                self.known = coverage.known(connection, self.target.table)
                self.expected = expected_types(connection, self.target.table)

    def partition(self, partition: str | None, pull: Pull) -> None:
        """Pull and commit one partition."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            connection = self.scratch.cursor()
            stage = Stage(connection, cursor=self.target.cursor, declared=self.declared, expected=self.expected)
            intake = Intake(partition, stage, Path(folder), connection, self.known.get(partition, ()))
            pulled = pull(intake)
            load = PartitionLoad(
                partition,
                as_of=pulled.as_of,
                after=pulled.after,
                coverage=pulled.coverage,
                pages=intake.pages,
                bytes=intake.bytes,
                requests=intake.requests,
                seconds=time.monotonic() - started,
                waited=intake.waited,
            )
            done = commit(
                self.warehouse, self.target, stage, [load], run_id=self.context.run_id, requests=self.requests.take()
            )
        self._note(replace(load, seconds=time.monotonic() - started), done, intake)

    def _note(self, load: PartitionLoad, done: Committed, intake: Intake) -> None:
        rows = done.rows.get(load.partition, 0)
        self.expected = dict(done.expected)
        self.landed[load.partition] = metadata.of_partition(load, done, intake.watermark)
        self.gaps += [(load.partition, interval) for interval in load.coverage if not interval.complete]
        self.pages += load.pages
        self.rows += rows
        changes = f", columns changed: {', '.join(map(str, done.changes))}" if done.changes else ""
        if self.total <= 14 or len(self.landed) % (self.total // 10) == 0:
            self.context.log.info(
                f"{self.target.table} {load.partition or ''}: {rows} rows on {load.pages} pages "
                f"in {load.seconds:.1f} s, {load.waited:.1f} s rate limit ({len(self.landed)} of {self.total}){changes}"
            )
        self.progress()

    def progress(self) -> None:
        """Tell how far the run is."""
        asset = self.context.asset_key.to_user_string()
        report(Progress(asset, len(self.landed), self.total, self.pages, self.rows, self.requests.waited))


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
    """Pull and commit `partitions`, `workers` at a time; what landed stays, whatever happens to the rest.

    Raises dagster.Failure with the reason of every partition that failed; after a permanent failure the partitions
    that were not begun are not tried.
    """
    with staging_folder(settings.staging()) as folder, warehouse.scratch_connection() as scratch:
        run = _Run(context, warehouse, target, declared, requests, scratch, folder, total=len(partitions))
        run.look_up()
        run.progress()
        errors, untried = _each(run, partitions, pull, workers)
        record_requests(warehouse, requests.take(), run_id=context.run_id)
    if errors:
        _keep_landed(run)
        raise failure(context, errors, untried=untried)
    return _result(run)


def _each(
    run: _Run, partitions: Sequence[str | None], pull: Pull, workers: int
) -> tuple[dict[str | None, BaseException], int]:
    """Run every partition; returns the errors by partition and how many were not tried."""
    errors: dict[str | None, BaseException] = {}
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="land") as pool:
        futures: dict[Future[None], str | None] = {
            pool.submit(run.partition, partition, pull): partition for partition in partitions
        }
        for future in as_completed(futures):
            if future.cancelled():
                continue
            if error := future.exception():
                errors[futures[future]] = error
                run.context.log.warning(f"{run.target.table} {futures[future] or ''}: {redact(str(error))}")
                if is_permanent(error):
                    for waiting in futures:
                        waiting.cancel()
    return errors, sum(future.cancelled() for future in futures)


def _keep_landed(run: _Run) -> None:
    """A step that fails records nothing by itself: say which partitions are in the warehouse all the same."""
    for partition, figures in run.landed.items():
        run.context.log_event(dg.AssetMaterialization(run.context.asset_key, partition=partition, metadata=figures))


def _result(run: _Run) -> dg.MaterializeResult:
    for partition, figures in run.landed.items():
        if partition is not None:
            run.context.add_asset_metadata(figures, partition_key=partition)
    with run.warehouse.reading() as connection:
        table = metadata.of_table(connection, run.target)
    own = run.landed.get(None, {})
    return dg.MaterializeResult(metadata={**table, **own}, check_results=[_coverage_check(run)])


def _coverage_check(run: _Run) -> dg.AssetCheckResult:
    gaps = [f"- {partition or ''} {gap.start.isoformat()}: {gap.reason}" for partition, gap in run.gaps]
    return dg.AssetCheckResult(
        check_name=COVERAGE_CHECK,
        passed=not gaps,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "partitions": len(run.landed),
            "incomplete_instants": len(gaps),
            **({"incomplete": dg.MetadataValue.md("\n".join(gaps[:50]))} if gaps else {}),
        },
    )
