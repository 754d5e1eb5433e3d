"""Assets of the institution's analytics API: one table a data set, a partition a day.

Here: `build_asset`, a plain factory, and how a day is pulled. Add here: what the assets show or check.
Keep out: YAML (component.py), paging (walk.py), storing (warehouse/).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.prefetch import ahead
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.checks.freshness import freshness
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.config.tables import TableSettings
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.partitions import daily, day_bounds
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pull_tag
from orgdata_dagster.vendors.institution_analytics.client import InstitutionAnalyticsClient
from orgdata_dagster.vendors.institution_analytics.estimate import estimate
from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource
from orgdata_dagster.vendors.institution_analytics.walk import MICROSECOND, Gap, Window
from orgdata_dagster.warehouse.commit.transaction import Target
from orgdata_dagster.warehouse.ledger.coverage import intervals, joined
from orgdata_dagster.warehouse.ledger.store import Interval
from orgdata_dagster.warehouse.names import TableName

VENDOR = InstitutionAnalyticsResource.vendor

_DAYS_PER_RUN = 400  # a backfill of a year is one run


@dataclass(frozen=True)
class DataSet(TableSettings):
    """A data set as a person configured it; `vendor_name` is its name in the API where that differs from `name`."""

    name: str
    vendor_name: str = ""
    key: tuple[str, ...] = ()


def build_asset(
    data_set: DataSet, *, start_date: str, cursor_column: str, settle_seconds: float
) -> dg.AssetsDefinition:
    """The asset `institution_analytics/<name>`, which lands in the table of the same name."""
    about = data_set.description or f"Data set `{data_set.vendor_name or data_set.name}` of the institution."
    target = Target(
        TableName(VENDOR, data_set.name),
        key=data_set.key,
        cursor=cursor_column,
        contract=data_set.contract,
        description=about,
        column_descriptions=data_set.column_descriptions,
        configured=data_set.configured(key=data_set.key),
    )

    @dg.asset(
        key=[VENDOR, data_set.name],
        group_name=VENDOR,
        description=f"{about} A day's partition holds the rows last updated on it (UTC); `{data_set.name}_current` has "
        "the newest version of each key." if data_set.key else about,
        partitions_def=daily(start_date),
        backfill_policy=dg.BackfillPolicy.multi_run(_DAYS_PER_RUN),
        metadata=estimate().metadata() | document(VENDOR),
        tags=pull_tag("days"),
        pool=pool(VENDOR),
        kinds={"duckdb", "csv"},
        owners=list(data_set.owners),
        freshness_policy=freshness(data_set.cron),
        check_specs=table_checks(VENDOR, data_set.name, keyed=bool(data_set.key)),
    )  # fmt: skip
    def pulled_day(
        context: dg.AssetExecutionContext,
        institution_analytics: InstitutionAnalyticsResource,
        warehouse: WarehouseResource,
    ) -> dg.MaterializeResult:
        requests = RequestLog()
        name = data_set.vendor_name or data_set.name
        with institution_analytics.client(requests) as client:
            return land(
                context,
                warehouse=warehouse.open(),
                target=target,
                declared=data_set.columns,
                pull=lambda intake: pull_day(client, name, intake, cursor_column, timedelta(seconds=settle_seconds)),
                requests=requests,
                partitions=sorted(context.partition_keys),
                workers=institution_analytics.concurrent or 4,
            )

    return pulled_day


def pull_day(
    client: InstitutionAnalyticsClient, data_set: str, intake: Intake, cursor: str, settle: timedelta
) -> Pulled:
    """Pull one day: whole when it is over, from its watermark on when it is today.

    What the vendor says about the last `settle` before its own clock is taken but not claimed complete: clocks differ,
    and a row may become visible a moment after its instant. The next pull of the day begins there.
    """
    start, end = day_bounds(str(intake.partition))
    began = datetime.now(UTC)
    before: tuple[Interval, ...] = ()
    complete_until = start
    if end > began:
        before = intake.known
        complete_until = max((part.end for part in before), default=start)
    window = Window(complete_until - MICROSECOND, None if end > began else end - MICROSECOND)
    gaps = []
    pages = client.pages(data_set, window, folder=intake.folder, read=intake.reader(cursor))
    for item in ahead(pages):
        if isinstance(item, Gap):
            reason = f"more than {item.records} rows at one instant: the vendor's page cannot hold them all"
            gaps.append(Interval(item.after + MICROSECOND, item.until + MICROSECOND, reason))
        else:
            intake.take(item.page, after=item.after, until=min(filter(None, (item.until, end - MICROSECOND))))
    as_of = intake.first_answer or began
    proven = intervals(complete_until, min(end, as_of - settle), gaps)
    return Pulled(
        as_of,
        coverage=joined([*before, *proven]),
        after=complete_until - MICROSECOND if complete_until > start else None,
    )
