"""Turn a stream into a Dagster asset, in the same way for every vendor.

Here: `build_asset`. Add here when: every asset gets another property or check.
Keep out: what only one vendor has (its streams).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg

from orgdata_dagster.orchestration.assets.documents import document
from orgdata_dagster.orchestration.assets.failures import explained
from orgdata_dagster.orchestration.assets.interrupts import beside
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.checks import freshness
from orgdata_dagster.orchestration.checks.freshness import Allowed, Freshness
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.instance.unreported import PATIENCE_OF_STOPPED, report_landed
from orgdata_dagster.orchestration.tags import ESTIMATE_TAG, PULLS_TAG
from orgdata_dagster.vendors.base.stream import Event, Step, Stream
from orgdata_dagster.warehouse.errors import WarehouseError
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse


def build_asset(
    stream: Stream, folder: Path, cron: str | None = None, owners: Sequence[str] = ()
) -> dg.AssetsDefinition:
    """Build the asset `<vendor>/<table>`, which lands in the table of the same name.

    folder: the folder of the vendor's code, whose README becomes the asset's documentation.
    cron: the vendor's cron, for a table without its own. The check `freshness` is derived from it.
    owners: the vendor's owners, for a table without its own.

    The asset requires two resources: the vendor's, whose key is the vendor's name, and `warehouse`.
    """
    vendor, table = stream.target.table.schema, stream.table
    fresh = freshness.allowed(table.cron or cron)
    extra = [dg.AssetCheckSpec(name, asset=stream.key, description=text) for name, text in stream.checks.items()]

    @dg.asset(
        key=stream.key,
        group_name=vendor,
        deps=list(stream.upstream),
        description=stream.description,
        partitions_def=stream.partitions,
        backfill_policy=_backfill_policy(stream),
        metadata={**stream.metadata, **document(folder)},
        op_tags={PULLS_TAG: stream.pulls, ESTIMATE_TAG: stream.estimate.as_tag()},
        pool=pool(vendor),
        kinds={"duckdb", stream.file_format, vendor},
        owners=list(table.owners or owners),
        check_specs=[
            *table_checks(*stream.key.path, keyed=bool(stream.target.key)),
            *extra,
            *([fresh.spec(stream.key)] if fresh else []),
        ],
        output_required=stream.pulls != "today",  # a day that is over has no snapshot to report
        required_resource_keys={vendor, "warehouse"},
    )
    def pulled(context: dg.AssetExecutionContext) -> Iterator[Event]:
        def events() -> list[Event]:
            resource = getattr(context.resources, vendor)
            requests = RequestLog()
            with explained(context), resource.client(requests) as client:
                warehouse = context.resources.warehouse.open()
                result = stream.run(Step(context, stream, resource, client, warehouse, requests))
                found: list[Event] = [result] if isinstance(result, dg.MaterializeResult) else [*result]
                return [*found, _freshness(warehouse, stream.target.table, fresh)] if fresh else found

        try:
            yield from beside(events)
        except dg.DagsterExecutionInterruptedError:  # also if everything had landed already
            beside(partial(report_landed, context.instance, [context.run], PATIENCE_OF_STOPPED))
            raise

    return pulled


def _freshness(warehouse: Warehouse, table: TableName, fresh: Allowed) -> dg.AssetCheckResult:
    """The check `freshness` after the run. If the warehouse cannot be read now, it warns; the landed rows stay."""
    try:
        with warehouse.reading() as connection:
            until = coverage.complete_until(connection, table).get(table)
    except WarehouseError as error:
        severity = dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(
            check_name=freshness.NAME, passed=False, severity=severity, description=f"could not be judged: {error}"
        )
    return Freshness(until, fresh, datetime.now(UTC)).result()


def _backfill_policy(stream: Stream) -> dg.BackfillPolicy | None:
    if stream.partitions is None:
        return None
    most = stream.partitions_per_run
    return dg.BackfillPolicy.single_run() if most is None else dg.BackfillPolicy.multi_run(most)
