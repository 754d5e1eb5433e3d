"""Assets of accutics: one table an entity, in days by its last change, or as a whole where it does not tell that.

Here: `build_asset`, a plain factory. Add here: what the assets show or check.
Keep out: YAML (component.py), what is asked for (pulling.py), storing (warehouse/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.checks.freshness import freshness
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.config.tables import TableSettings
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.partitions import daily
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pull_tag
from orgdata_dagster.vendors.accutics.client import Listing
from orgdata_dagster.vendors.accutics.estimate import estimate
from orgdata_dagster.vendors.accutics.pulling import pull_all, pull_day
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.warehouse.commit.transaction import Target
from orgdata_dagster.warehouse.names import TableName

VENDOR = AccuticsResource.vendor

_DAYS_PER_RUN = 400  # a backfill of a year is one run
_DAYS_PER_COMMIT = 50


@dataclass(frozen=True)
class Entity(TableSettings):
    """An entity as a person configured it: its table and how it is listed."""

    name: str
    listing: Listing


def build_asset(entity: Entity, *, start_date: str, settle_seconds: float) -> dg.AssetsDefinition:
    """The asset `accutics/<name>`, which lands in the table of the same name, one row a key."""
    listing, settle = entity.listing, timedelta(seconds=settle_seconds)
    about = entity.description or f"`{listing.path}` of accutics."
    target = Target(
        TableName(VENDOR, entity.name),
        key=listing.key,
        cursor=listing.cursor_column,
        write_disposition="merge",
        contract=entity.contract,
        description=f"{about} One row a {', '.join(listing.key)}.",
        column_descriptions=entity.column_descriptions,
        configured=entity.configured(key=listing.key, cursor_column=[*filter(None, [listing.cursor_column])]),
    )
    in_days = listing.cursor_column is not None

    @dg.asset(
        key=[VENDOR, entity.name],
        group_name=VENDOR,
        description=f"{about} A day's partition holds the rows last changed on it (UTC): a row that changes moves to "
        "the day of the change." if in_days else f"{about} Compared as a whole at every pull.",
        partitions_def=daily(start_date) if in_days else None,
        backfill_policy=dg.BackfillPolicy.multi_run(_DAYS_PER_RUN) if in_days else None,
        metadata=estimate().metadata() | document(VENDOR),
        tags=pull_tag("days" if in_days else "whole"),
        pool=pool(VENDOR),
        kinds={"duckdb", "json"},
        owners=list(entity.owners),
        freshness_policy=freshness(entity.cron),
        check_specs=table_checks(VENDOR, entity.name, keyed=True),
    )  # fmt: skip
    def pulled(
        context: dg.AssetExecutionContext, accutics: AccuticsResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:
        requests = RequestLog()
        partitions: Sequence[str | None] = sorted(context.partition_keys) if in_days else [None]
        with accutics.client(requests) as client:

            def pull(intake: Intake) -> Pulled:
                return pull_day(client, listing, intake, settle) if in_days else pull_all(client, listing, intake)

            return land(
                context,
                warehouse=warehouse.open(),
                target=target,
                declared=entity.columns,
                pull=pull,
                requests=requests,
                partitions=partitions,
                workers=accutics.concurrent or 4,
                batch=_DAYS_PER_COMMIT,
            )

    return pulled
