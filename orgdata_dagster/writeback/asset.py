"""The asset of a sync: one run, from the source to the results.

Here: `build_asset`, and the selection by a run's tags. Keep out: YAML (component.py), the steps themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.assets.failures import explained, failure
from orgdata_dagster.orchestration.assets.interrupts import beside
from orgdata_dagster.orchestration.assets.metadata import SYNC_SUMMARY
from orgdata_dagster.orchestration.assets.progress import Progress, report
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.assets.waits import report_wait, reporting_waits
from orgdata_dagster.orchestration.automation.conditions import upstream_landed
from orgdata_dagster.orchestration.checks.specs import REJECTED
from orgdata_dagster.orchestration.instance.run_claims import claim
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import ALL_TAG, DRY_RUN_TAG, ONLY_REJECTED_TAG, WRITES_TAG
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder
from orgdata_dagster.writeback import figures, source
from orgdata_dagster.writeback.delivery import Delivery, Tally
from orgdata_dagster.writeback.destination import Destination, Pace
from orgdata_dagster.writeback.diff import Diff, Selection, compare
from orgdata_dagster.writeback.journal import Journal
from orgdata_dagster.writeback.results import ResultsTable
from orgdata_dagster.writeback.row_states import RowStates
from orgdata_dagster.writeback.sync import SyncOptions

_NOTHING_SENT = "Dry run: nothing was sent."


def build_asset(
    sync: SyncOptions, destination: Destination, *, pace: Callable[[Any], Pace] | None = None
) -> dg.AssetsDefinition:
    """The asset of a sync, downstream of the tables that its source reads.

    It needs two resources: the destination's and `warehouse`.

    pace: replaces the destination's own pace, for tests with a fake clock.

    Raises ValueError if the source is not one SELECT.
    """
    landed = upstream_landed() & ~dg.AutomationCondition.in_progress() if sync.on_update else None

    @dg.asset(
        key=sync.asset_key,
        deps=[dg.AssetKey(table) for table in source.tables(sync.source)],
        group_name=destination.vendor,
        description=f"{sync.description or sync.summary} The result of each row: `{sync.results}`.",
        metadata={
            "source": dg.MetadataValue.md(f"```sql\n{source.select(sync.source)}\n```"),
            "target": destination.target,
        },
        op_tags={WRITES_TAG: sync.name},
        pool=destination.pool,
        kinds={"duckdb", "json"},
        owners=sync.owners,
        automation_condition=landed,
        check_specs=[
            dg.AssetCheckSpec(REJECTED, asset=sync.asset_key, description="No row of the source is rejected.")
        ],
        required_resource_keys={destination.resource, "warehouse"},
    )
    def written(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        resource = getattr(context.resources, destination.resource)
        lock = f"syncs/{sync.asset_key.path[-1]}"
        claim(context.instance, context.run)
        waiting = partial(report_wait, context, f"waiting for another run of {sync.asset_key.to_user_string()} to end")

        def alone() -> dg.MaterializeResult:
            with shared_state().lock(lock, waiting=waiting):
                warehouse = context.resources.warehouse.open()
                warehouse.notify = partial(report_wait, context)
                pace_of_run = (pace or destination.pace)(resource)
                return _Run(context, sync, destination, resource, warehouse, pace_of_run).result()

        with explained(context), reporting_waits(context, destination.vendor):
            return beside(alone)

    return written


@dataclass(frozen=True)
class _Run:
    """One run of a sync. `resource`: the destination's."""

    context: dg.AssetExecutionContext
    sync: SyncOptions
    destination: Destination
    resource: Any
    warehouse: Warehouse
    pace: Pace

    def result(self) -> dg.MaterializeResult:
        """Compare, and send the differences unless it is a dry run."""
        with owned_folder(settings.staging()) as folder:
            return self._result(folder)

    def _result(self, folder: Path) -> dg.MaterializeResult:
        """`folder`: an empty folder for the comparison."""
        tags, destination = self.context.run.tags, self.destination
        selection = Selection(tags.get(ONLY_REJECTED_TAG) == "true", tags.get(ALL_TAG) == "true")
        row_states = RowStates(self.sync.name, destination.target)
        diff = compare(self.warehouse, row_states, self.sync.source, destination, selection, folder)
        dry_run = self._dry_run()
        planned = figures.of_diff(diff, destination.batch_size, self.pace, dry_run=dry_run)
        if dry_run:
            rejected = diff.counts.rejected + diff.counts.refused_before
            return dg.MaterializeResult(metadata=planned, check_results=[self._check(rejected)])
        return self._delivered(diff, row_states, planned)

    def _dry_run(self) -> str | None:
        """Why nothing is sent; None if rows are sent."""
        if self.sync.dry_run:
            return f"{_NOTHING_SENT} Every run is a dry run until the YAML says `dry_run: false`."
        return _NOTHING_SENT if self.context.run.tags.get(DRY_RUN_TAG) == "true" else None

    def _delivered(self, diff: Diff, row_states: RowStates, planned: figures.Figures) -> dg.MaterializeResult:
        destination, counts, requests = self.destination, diff.counts, RequestLog()
        results = ResultsTable(self.sync.results, destination.result_columns)
        journal = Journal(self.warehouse, destination, row_states, results, self.context.run.run_id, requests)
        journal.open(diff)
        with destination.connect(self.resource, requests) as write:
            allowed = int(self.sync.max_rejected * counts.rows)
            progress = partial(self._progress, counts.send, requests)
            delivery = Delivery(destination.vendor, write, journal, self.pace, allowed, progress)
            delivery.tally.rejected = counts.rejected
            tally = delivery.deliver(diff.batches(destination.batch_size))
        tally.rejected += counts.refused_before  # still rejected, but no reason to stop
        done = figures.of_delivery(tally, self.pace, merges=journal.merges, waited=requests.waited)
        metadata = {**planned, **done}
        if tally.ended_by is not None:
            self.context.log_event(dg.AssetObservation(self.sync.asset_key, metadata=metadata))
            if tally.rejected > allowed:
                self.context.log_event(self._too_many(tally.rejected, allowed))
            left = counts.send - tally.written - tally.refused
            tally.ended_by.remedy += f" {left} of {counts.send} rows are left."
            raise failure(self.context, {None: tally.ended_by})
        table = planned[SYNC_SUMMARY]
        assert isinstance(table, dg.MarkdownMetadataValue)
        metadata[SYNC_SUMMARY] = dg.MetadataValue.md(f"{figures.delivered(tally)}\n\n{table.md_str}")
        return dg.MaterializeResult(metadata=metadata, check_results=[self._check(tally.rejected)])

    def _progress(self, total: int, requests: RequestLog, tally: Tally) -> None:
        asset, answered = self.sync.asset_key.to_user_string(), tally.written + tally.refused
        report(Progress(asset, answered, total, tally.written, tally.requests, requests.waited, "row"))

    def _too_many(self, rejected: int, allowed: int) -> dg.AssetCheckEvaluation:
        """The failed check of a run that stopped because of `max_rejected`, for alerts."""
        why = f"{counted(rejected, 'row', 'are')} rejected, and max_rejected allows {allowed}; {self._says_why}"
        verdict = _verdict(rejected, why, dg.AssetCheckSeverity.ERROR)
        return dg.AssetCheckEvaluation(asset_key=self.sync.asset_key, **verdict)

    def _check(self, rejected: int) -> dg.AssetCheckResult:
        why = f"{counted(rejected, 'row', 'are')} rejected; {self._says_why}" if rejected else "every row is accepted"
        return dg.AssetCheckResult(**_verdict(rejected, why, dg.AssetCheckSeverity.WARN))

    @property
    def _says_why(self) -> str:
        return f"`{self.sync.results}` says why"


def _verdict(rejected: int, description: str, severity: dg.AssetCheckSeverity) -> dict[str, Any]:
    """The content of the check `rejected`."""
    figures = {"rejected": rejected}
    return {"check_name": REJECTED, "passed": not rejected, "severity": severity, "description": description,
            "metadata": figures}  # fmt: skip
