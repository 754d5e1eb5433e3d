"""Reconciliation of a table with accutics' own number of rows.

Here: the check `total_items` for lists by page number, which have a total. It runs after every pull.
Keep out: pulls (pulling.py).

Rows change between two pulls, so the two numbers need not be equal. The table must have every row that has not changed
since it was complete, and may have at most as many more as have changed since.
"""

from datetime import datetime

import dagster as dg

from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.gaps import covered
from orgdata_dagster.orchestration.checks.results import not_yet, of_unasked
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.vendors.accutics.client import Listing
from orgdata_dagster.vendors.accutics.resource import AccuticsResource
from orgdata_dagster.vendors.accutics.search import where
from orgdata_dagster.warehouse.commit.transaction import record_requests
from orgdata_dagster.warehouse.ledger.intervals import joined
from orgdata_dagster.warehouse.names import TableName, quoted

TOTAL_CHECK = "total_items"


def build_check(asset: dg.AssetsDefinition, listing: Listing) -> dg.AssetChecksDefinition:
    """Build the check of one entity. It costs two requests, or one without a cursor column."""
    key = asset.key
    table = TableName(*key.path)

    @dg.asset_check(
        asset=key,
        name=TOTAL_CHECK,
        pool=pool(key.path[0]),
        required_resource_keys={key.path[0], "warehouse"},
        description="The table has as many rows as accutics.",
    )
    def total_items(
        context: dg.AssetCheckExecutionContext,
    ) -> dg.AssetCheckResult:
        warehouse: WarehouseResource = context.resources.warehouse
        vendor: AccuticsResource = getattr(context.resources, key.path[0])
        known = [part for parts in covered(warehouse, [key])[key].values() for part in parts if part.complete]
        if not known:
            why = f"no partition is complete; `orgdata pull {key.to_user_string()}` makes it so"
            return dg.AssetCheckResult(passed=True, description=not_yet(why))
        span = joined(known)[-1]  # the last time without a gap: of days that were never pulled nothing can be said
        begin, until = span.start.replace(microsecond=0), span.end.replace(microsecond=0)
        cursor = listing.cursor_column
        first = [where(cursor, "gte", begin, kind="timestamp")] if cursor else []
        before = [where(cursor, "lt", until, kind="timestamp")] if cursor else []
        since = [where(cursor, "gte", until, kind="timestamp")] if cursor else []
        requests = RequestLog()
        try:
            with vendor.client(requests) as client:
                settled = client.peek(listing, *first, *before)[1] or 0
                later = (client.peek(listing, *since)[1] or 0) if cursor else 0
        except VendorError as error:
            return of_unasked(error)
        finally:
            record_requests(warehouse.open(), requests.take(), run_id=context.run.run_id)
        held = f"SELECT count(*) FROM {table.sql}"
        at = f"CAST({quoted(cursor)} AS TIMESTAMPTZ)" if cursor else ""
        held += f" WHERE {at} >= ? AND {at} < ?" if cursor else ""
        with warehouse.open().reading() as connection:
            [rows] = connection.execute(held, [begin, until] if cursor else []).fetchone() or (0,)
        return dg.AssetCheckResult(
            passed=settled <= rows <= settled + later,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{_time(begin, until) if cursor else 'In all'}, accutics counts {settled} rows, "
            f"and {later} that changed since; the table has {rows}.",
            metadata={"accutics": settled, "changed_since": later, "table": rows},
        )

    return total_items


def _time(begin: datetime, until: datetime) -> str:
    return f"From {begin:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}"
