"""Assets of octolis: one table a dataset, kept equal to it by its masterids.

Here: `build_asset`, a plain factory, and the rounds of a run until vendor and table count the same records.
Add here: what the assets show or check. Keep out: YAML (component.py), one pull (pulling.py), storing (warehouse/).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.checks.freshness import freshness
from orgdata_dagster.orchestration.checks.specs import SCHEMA, table_checks
from orgdata_dagster.orchestration.config.tables import TableSettings
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import pull_tag
from orgdata_dagster.vendors.octolis.client import ALL_MASTERIDS, MASTERID, MODIFIED_AT, OctolisClient, Query
from orgdata_dagster.vendors.octolis.estimate import estimate
from orgdata_dagster.vendors.octolis.merges import merges_table
from orgdata_dagster.vendors.octolis.pulling import COUNT_CHECK, Counts, Manner, pull, start_of
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.warehouse.commit.transaction import Target
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse

VENDOR = OctolisResource.vendor
FULL_WALK = "orgdata/full_walk"  # a run's tag, "true": read everything, not only what changed

_WHOLE_ROUNDS = (False, False, True, False)
"""Whether a round reads everything. A dataset that changes while it is counted agrees at the second, cheap look;
deletions, which nobody announces, need the third; and what changed during that one the fourth."""

_ADDED_UP = {"rows", "pages", "requests", "bytes", "seconds", "waited_for_budget_seconds"}

_SYSTEM_COLUMNS = {
    MASTERID: "octolis' id of the record.",
    MODIFIED_AT: "When the record was last modified, by octolis' clock.",
    ALL_MASTERIDS: "The masterids of records that were merged into this one, and are gone.",
    "__created_at__": "When octolis created the record.",
    "__updated_at__": "When octolis last wrote the record, preparations included.",
}
_SYSTEM_TYPES = {MASTERID: "VARCHAR", MODIFIED_AT: "TIMESTAMPTZ", ALL_MASTERIDS: "VARCHAR[]"}


@dataclass(frozen=True)
class DataSet(TableSettings):
    """A dataset as a person configured it. `key`: the columns by which octolis deduplicates, for information."""

    name: str
    query: Query
    key: tuple[str, ...] = ()


def build_asset(data_set: DataSet, manner: Manner) -> dg.AssetsDefinition:
    """The asset `octolis/<name>`, which lands in the table of the same name."""
    about = data_set.description or f"Dataset `{data_set.query.dataset}` of octolis."
    table, selection = TableName(VENDOR, data_set.name), data_set.query.selection
    target = Target(
        table,
        key=(MASTERID,),
        cursor=MODIFIED_AT,
        write_disposition="merge",
        contract=data_set.contract,
        description=about,
        column_descriptions=_SYSTEM_COLUMNS | dict(data_set.column_descriptions),
        configured=data_set.configured(
            key=[name for name in data_set.key if not selection or name in selection], selection=selection
        ),
    )

    @dg.asset(
        key=[VENDOR, data_set.name],
        group_name=VENDOR,
        description=f"{about} One row a record, as octolis has it now; `{merges_table(table).name}` says which records "
        "went into others.",
        metadata={
            "dataset": data_set.query.dataset,
            "deduplicated by": ", ".join(data_set.key) or "not said",
            **estimate().metadata(),
            **document(VENDOR),
        },
        tags=pull_tag("whole"),
        pool=pool(VENDOR),
        kinds={"duckdb", "json"},
        owners=list(data_set.owners),
        freshness_policy=freshness(data_set.cron),
        check_specs=[
            *table_checks(VENDOR, data_set.name, keyed=True),
            dg.AssetCheckSpec(COUNT_CHECK, asset=[VENDOR, data_set.name], description="As many rows as octolis has."),
        ],
    )
    def records(
        context: dg.AssetExecutionContext, octolis: OctolisResource, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:
        requests = RequestLog()
        with octolis.client(requests) as client:
            return _until_equal(context, client, data_set, manner, target, warehouse.open(), requests)

    return records


def _until_equal(
    context: dg.AssetExecutionContext,
    client: OctolisClient,
    data_set: DataSet,
    manner: Manner,
    target: Target,
    warehouse: Warehouse,
    requests: RequestLog,
) -> dg.MaterializeResult:
    """Pull and land, again while vendor and table do not count the same records, at the end everything."""
    results: list[dg.MaterializeResult] = []
    counts, merges = Counts(), 0
    whole = context.run.tags.get(FULL_WALK) == "true"
    for everything in (True, *_WHOLE_ROUNDS[:2]) if whole else _WHOLE_ROUNDS:
        counts = Counts()

        def pull_round(intake: Intake, everything: bool = everything, counts: Counts = counts) -> Pulled:
            since = None if everything else start_of(intake, warehouse, target.table, manner)
            return pull(client, data_set.query, intake, manner, counts, since=since)

        result = land(
            context,
            warehouse=warehouse,
            target=replace(target, afterwards=counts.look),
            pull=pull_round,
            requests=requests,
            declared=_SYSTEM_TYPES | dict(data_set.columns),
            partitions=[None],
        )
        results.append(result)
        merges += counts.merges
        if counts.agree:
            break
        context.log.info(f"{target.table}: {counts.doubt}")
    last = results[-1]
    figures = {"merges": dg.MetadataValue.int(merges), "rounds": dg.MetadataValue.int(len(results))}
    return dg.MaterializeResult(
        metadata={**(last.metadata or {}), **_added_up(results), **figures},
        check_results=[*_checks(results), counts.check()],
    )


def _checks(results: Sequence[dg.MaterializeResult]) -> list[dg.AssetCheckResult]:
    """Those of the last round, but for a change of columns, which only the round that met it tells."""
    last = {check.check_name: check for check in results[-1].check_results or ()}
    changed = [check for each in results for check in each.check_results or () if not check.passed]
    return [*(last | {check.check_name: check for check in changed if check.check_name == SCHEMA}).values()]


def _added_up(results: Sequence[dg.MaterializeResult]) -> dict[str, dg.MetadataValue]:
    """What all rounds did together."""
    total: dict[str, dg.MetadataValue] = {}
    for result in results:
        for name, value in (result.metadata or {}).items():
            before = total.get(name)
            if name not in _ADDED_UP:
                continue
            if isinstance(value, dg.IntMetadataValue):
                sofar = before.value if isinstance(before, dg.IntMetadataValue) else 0
                total[name] = dg.MetadataValue.int((sofar or 0) + (value.value or 0))
            elif isinstance(value, dg.FloatMetadataValue):
                passed = before.value if isinstance(before, dg.FloatMetadataValue) else 0.0
                total[name] = dg.MetadataValue.float((passed or 0.0) + (value.value or 0.0))
    return total
