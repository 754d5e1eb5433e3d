"""The assets that write to octolis.

Here: `build_asset`, the run of a sync from the source to the results, and what a run's tags ask of it. Keep out: YAML
(component.py), the steps themselves.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.orchestration.assets.failures import explained, failure
from orgdata_dagster.orchestration.assets.metadata import SYNC_PLAN
from orgdata_dagster.orchestration.assets.progress import Progress, report
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.assets.waits import tell, waits_told
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import ALL_TAG, DRY_RUN_TAG, ONLY_REJECTED_TAG, WRITES_TAG
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.writing import OctolisWriter
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.lock import locked
from orgdata_dagster.warehouse.storage.scratch import owned_folder
from orgdata_dagster.writeback import diff, source
from orgdata_dagster.writeback.batch import Send
from orgdata_dagster.writeback.delivery import Delivery, Pace, Tally
from orgdata_dagster.writeback.figures import Report, delivered, of_delivery
from orgdata_dagster.writeback.journal import Journal
from orgdata_dagster.writeback.results import Results
from orgdata_dagster.writeback.sent_rows import SentRows

VENDOR = OctolisResource.vendor
REJECTED_CHECK = "rejected"
_NOTHING_SENT = "Dry run: nothing was sent."


@dataclass(frozen=True)
class Job:
    """What goes where, for a dataset and for a webhook alike.

    `ending` ends the asset's name. `target`: the id of the dataset or webhook; `read_into`: the tables that it is read
    into. `fill` makes the rows, `send` makes the request for some of them. `max_rejected`: a share of all rows.
    """

    name: str
    ending: str
    source: str
    target: str
    fill: diff.Fill
    send: Callable[[OctolisWriter, str], Send]
    batch_size: int
    dry_run: bool
    max_rejected: float
    description: str
    owners: tuple[str, ...] = ()
    automation: dg.AutomationCondition | None = None
    read_into: tuple[TableName, ...] = ()

    @property
    def asset_key(self) -> dg.AssetKey:
        """The asset that does it."""
        return dg.AssetKey([VENDOR, f"{self.name}_{self.ending}"])

    @property
    def results(self) -> TableName:
        """The table with what became of the rows."""
        return TableName(VENDOR, f"{self.name}_results")


def build_asset(job: Job, *, pace: Callable[[OctolisResource], Pace] | None = None) -> dg.AssetsDefinition:
    """The asset of a job, downstream of the tables that its source reads. `pace`: for tests with a clock of their own.

    Raises ValueError where the source is no SELECT.
    """

    @dg.asset(
        key=job.asset_key,
        deps=[dg.AssetKey(table) for table in source.tables(job.source)],
        group_name=VENDOR,
        description=f"{job.description} What became of each row: `{job.results}`.",
        metadata={"source": dg.MetadataValue.md(f"```sql\n{source.select(job.source)}\n```"), "target": job.target},
        tags={WRITES_TAG: job.name},
        pool=pool(VENDOR),
        kinds={"duckdb", "json"},
        owners=list(job.owners),
        automation_condition=job.automation,
        check_specs=[
            dg.AssetCheckSpec(REJECTED_CHECK, asset=job.asset_key, description="No row of the source is rejected.")
        ],
    )
    def sync(
        context: dg.AssetExecutionContext, octolis: OctolisResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:
        pace_ = pace(octolis) if pace else Pace(60 / octolis.writes_per_minute)
        lock = settings.home() / "syncs" / f"{job.asset_key.path[-1]}.lock"
        with explained(context), waits_told(context, VENDOR), ExitStack() as held:
            busy = f"waiting for another run of {job.asset_key.to_user_string()} to end"
            held.enter_context(locked(lock, shared=False, waiting=partial(tell, context, busy)))
            folder = held.enter_context(owned_folder(settings.staging()))
            opened = warehouse.open()
            opened.say = partial(tell, context)
            return _run(context, job, octolis, opened, folder, pace_)

    return sync


def _run(
    context: dg.AssetExecutionContext,
    job: Job,
    octolis: OctolisResource,
    warehouse: Warehouse,
    folder: Path,
    pace: Pace,
) -> dg.MaterializeResult:
    tags = context.run.tags
    dry_run = _NOTHING_SENT if tags.get(DRY_RUN_TAG) == "true" else None
    if job.dry_run:
        dry_run = f"{_NOTHING_SENT} It stays so until the YAML says `dry_run: false`."
    sent_rows = SentRows(job.name, job.target)
    planned = diff.make(
        warehouse,
        sent_rows,
        job.source,
        job.fill,
        folder,
        only_rejected=tags.get(ONLY_REJECTED_TAG) == "true",
        everything=tags.get(ALL_TAG) == "true",
    )
    metadata = Report(planned, job.batch_size, octolis.writes_per_minute).of_plan(dry_run=dry_run)
    counts = planned.counts
    if dry_run:
        return dg.MaterializeResult(
            metadata=metadata, check_results=[_check(job, counts.rejected + counts.refused_before)]
        )
    requests = RequestLog()
    journal = Journal(warehouse, sent_rows, Results(job.results), context.run.run_id, requests, job.read_into)
    journal.open(planned)

    def progress(tally: Tally) -> None:
        asset, settled = job.asset_key.to_user_string(), tally.written + tally.refused
        report(
            Progress(asset, settled, counts.send, requests.count, tally.written, requests.waited, "rows", "requests")
        )

    with octolis.writer(requests) as writer:
        allowed = int(job.max_rejected * counts.rows)
        delivery = Delivery(job.send(writer, job.target), journal, pace, allowed, progress)
        delivery.tally.rejected = counts.rejected
        tally = delivery.deliver(planned.batches(job.batch_size))
    tally.rejected += counts.refused_before  # they still are; but no reason to stop
    metadata |= of_delivery(tally, merges=journal.merges, requests=requests.count, waited=requests.waited)
    if tally.ended_by is not None:
        context.log_event(dg.AssetObservation(job.asset_key, metadata=metadata))
        left = counts.send - tally.written - tally.refused
        tally.ended_by.remedy += f" {left} of {counts.send} rows are left."
        raise failure(context, {None: tally.ended_by})
    table = metadata[SYNC_PLAN]
    assert isinstance(table, dg.MarkdownMetadataValue)
    metadata[SYNC_PLAN] = dg.MetadataValue.md(f"{delivered(tally)}\n\n{table.md_str}")
    return dg.MaterializeResult(metadata=metadata, check_results=[_check(job, tally.rejected)])


def _check(job: Job, rejected: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=REJECTED_CHECK,
        passed=rejected == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{rejected} rows are rejected; `{job.results}` says why" if rejected else "every row is accepted",
        metadata={"rejected": rejected},
    )
