"""Assets of the reports of channels: one table an endpoint, a partition a day, week or month; and the forms' fields.

Here: `build_asset` and `build_fields_asset`, plain factories. Add here: what the assets show or check.
Keep out: YAML (component.py), the pull itself (pulls.py), storing (warehouse/).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.checks.freshness import freshness
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.partitions import Grain, bounds, by_grain
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pull_tag
from orgdata_dagster.vendors.channel_reports.endpoints import FIELD_COLUMNS, FIELDS_TABLE, Endpoint
from orgdata_dagster.vendors.channel_reports.estimate import estimate
from orgdata_dagster.vendors.channel_reports.pulls import Fields, pull_fields, pull_window
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource
from orgdata_dagster.warehouse.commit.evolution import Contract
from orgdata_dagster.warehouse.commit.transaction import Target
from orgdata_dagster.warehouse.names import TableName

VENDOR = ChannelReportsResource.vendor

_PARTITIONS_PER_RUN = 400  # a backfill of a year is one run
_BATCH = 400  # partitions a commit, at most: usually time ends a batch
_WORKERS = 2  # where `concurrent` is switched off; runs go side by side, and more threads in one only fight for it


@dataclass(frozen=True)
class Report:
    """An endpoint as a person configured it. `field_ids` left empty: those of the Forms API."""

    endpoint: Endpoint
    channels: tuple[int, ...]
    start_date: str
    grain: Grain = "day"
    field_ids: tuple[int, ...] = ()
    contract: Contract = "evolve"
    description: str = ""
    owners: tuple[str, ...] = ()
    cron: str | None = None


def build_asset(report: Report) -> dg.AssetsDefinition:
    """The asset `channel_reports/<endpoint>`, which lands in the table of the same name."""
    endpoint = report.endpoint
    about = report.description or endpoint.about
    partitions = by_grain(report.grain, report.start_date)
    target = Target(
        TableName(VENDOR, endpoint.name),
        contract=report.contract,
        description=f"{about} Each row counts one window of a {report.grain} (UTC), start_date to end_date.",
        column_descriptions=endpoint.descriptions,
    )

    @dg.asset(
        key=[VENDOR, endpoint.name],
        group_name=VENDOR,
        description=f"{about} A partition is the vendor's count of one {report.grain} (UTC). Distinct counts do not "
        "add up over partitions: see the columns.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(_PARTITIONS_PER_RUN),
        metadata=estimate(endpoint, len(report.channels), len(report.field_ids)).metadata() | document(VENDOR),
        tags=pull_tag("days"),
        pool=pool(VENDOR),
        kinds={"duckdb", "json"},
        owners=list(report.owners),
        freshness_policy=freshness(report.cron),
        check_specs=table_checks(VENDOR, endpoint.name, keyed=False),
    )
    def pulled_windows(
        context: dg.AssetExecutionContext, channel_reports: ChannelReportsResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:
        requests = RequestLog()
        with channel_reports.client(requests) as client:
            fields = Fields(client, report.field_ids)
            return land(
                context,
                warehouse=warehouse.open(),
                target=target,
                declared=endpoint.types,
                pull=lambda intake: pull_window(
                    client, endpoint, report.channels, fields, intake, bounds(partitions, str(intake.partition))
                ),
                requests=requests,
                partitions=sorted(context.partition_keys),
                workers=channel_reports.concurrent or _WORKERS,
                batch=_BATCH,
            )

    return pulled_windows


def build_fields_asset(
    channels: Sequence[int], *, contract: Contract = "evolve", cron: str | None = None
) -> dg.AssetsDefinition:
    """The asset `channel_reports/fields`: the fields of all forms as they are now."""
    about = "Fields of the forms of all channels, of every type, as they are now; from the Forms API."
    target = Target(
        TableName(VENDOR, FIELDS_TABLE),
        contract=contract,
        description=about,
        column_descriptions={name: text for name, (_, text) in FIELD_COLUMNS.items()},
    )

    @dg.asset(
        key=[VENDOR, FIELDS_TABLE],
        group_name=VENDOR,
        description=about,
        metadata=estimate(None, len(channels), 0).metadata() | document(VENDOR),
        tags=pull_tag("whole"),
        pool=pool(VENDOR),
        kinds={"duckdb", "json"},
        freshness_policy=freshness(cron),
        check_specs=table_checks(VENDOR, FIELDS_TABLE, keyed=False),
    )
    def discovered_fields(
        context: dg.AssetExecutionContext, channel_reports: ChannelReportsResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:
        requests = RequestLog()
        with channel_reports.client(requests) as client:
            return land(
                context,
                warehouse=warehouse.open(),
                target=target,
                declared={name: kind for name, (kind, _) in FIELD_COLUMNS.items()},
                pull=lambda intake: pull_fields(client, channels, intake),
                requests=requests,
                partitions=[None],
            )

    return discovered_fields
