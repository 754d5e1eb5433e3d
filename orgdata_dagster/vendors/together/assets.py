"""Assets of Together: one table a report, a snapshot of all of it a day.

Here: `build_asset`, a plain factory, and how a snapshot is pulled. Add here: what the assets show or check.
Keep out: YAML (component.py), requests (client.py), storing (warehouse/).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.assets.snapshots import ACCEPT_SHRINK, Landed, accept_shrink_remedy, land_snapshot
from orgdata_dagster.orchestration.checks.freshness import freshness
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.config.tables import TableSettings
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.partitions import DAY, daily
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pull_tag
from orgdata_dagster.vendors.together.client import REPORTS, TogetherClient
from orgdata_dagster.vendors.together.estimate import estimate
from orgdata_dagster.vendors.together.resource import TogetherResource
from orgdata_dagster.warehouse.commit.snapshots import ShrinkGuard
from orgdata_dagster.warehouse.commit.transaction import Target
from orgdata_dagster.warehouse.ledger.store import Interval
from orgdata_dagster.warehouse.names import TableName

VENDOR = TogetherResource.vendor


@dataclass(frozen=True)
class Report(TableSettings):
    """A report as a person configured it; `name` is the table's."""

    name: str
    key: tuple[str, ...] = ()


def build_asset(report: Report, *, start_date: str, shrink_limit: float) -> dg.AssetsDefinition:
    """The asset `together/<name>`, which lands in the table of the same name."""
    about = report.description or f"The organisation's {REPORTS[report.name]}."
    target = Target(
        TableName(VENDOR, report.name),
        key=report.key,
        contract=report.contract,
        description=f"{about} Each partition is the snapshot of its day.",
        column_descriptions=report.column_descriptions,
        configured=report.configured(key=report.key),
        snapshots=True,
        refuse=ShrinkGuard(shrink_limit, remedy=accept_shrink_remedy(f"{VENDOR}/{report.name}")),
    )

    @dg.asset(
        key=[VENDOR, report.name],
        group_name=VENDOR,
        description=f"{about} The vendor knows only the present: a partition is the snapshot of its day, and only "
        f"today's can be made. `{report.name}_current` is the last one, `{report.name}_history` tells the changes.",
        partitions_def=daily(start_date),
        backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill over days that are over says so once
        metadata=estimate().metadata() | document(VENDOR),
        tags=pull_tag("today"),
        pool=pool(VENDOR),
        kinds={"duckdb", "csv"},
        owners=list(report.owners),
        freshness_policy=freshness(report.cron),
        check_specs=table_checks(VENDOR, report.name, keyed=bool(report.key)),
        output_required=False,
    )
    def snapshot(
        context: dg.AssetExecutionContext, together: TogetherResource, warehouse: WarehouseResource
    ) -> Iterator[Landed]:
        accepted = context.run.tags.get(ACCEPT_SHRINK) == "true"
        requests = RequestLog()
        with together.client(requests) as client:
            yield from land_snapshot(
                context,
                warehouse=warehouse.open(),
                target=replace(target, refuse=None) if accepted else target,
                pull=lambda intake: pull_now(client, report.name, intake),
                requests=requests,
                declared=report.columns,
            )

    return snapshot


def pull_now(client: TogetherClient, table: str, intake: Intake) -> Pulled:
    """Pull the whole report. It holds everything up to its instant, which is a day and more."""
    began = datetime.now(UTC)
    intake.take(client.report(table, into=intake.file(f"{table}.csv"), read=intake.reader(None)))
    as_of = intake.first_answer or began
    return Pulled(as_of, coverage=(Interval(as_of - DAY, as_of),))
