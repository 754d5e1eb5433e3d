"""The change probe of an entity, for one row.

Here: the probe.
Keep out: the sensor (orchestration/automation/change_sensor.py), pulls (pulling.py).
A row that was deleted shows only in a list by page numbers, which tells its length.
"""

from __future__ import annotations

from datetime import datetime

from orgdata_dagster.vendors.accutics.client import AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.search import where


def newest(client: AccuticsClient, listing: Listing, complete_until: datetime | None) -> str:
    """A mark that differs after a change; empty if nothing has changed since `complete_until`.

    It is made of the newest row if the list can be sorted; otherwise of a row that changed since the table was
    complete; otherwise, without a cursor column, of the number of rows. Raises the errors of HttpClient.fetch.
    """
    since = []
    if listing.cursor_column and not listing.newest_first and complete_until:
        since = [where(listing.cursor_column, "gte", complete_until.replace(microsecond=0), kind="timestamp")]
    rows, total = client.peek(listing, *since)
    seen = [str(row.get(name)) for row in rows[:1] for name in (listing.cursor_column, *listing.key) if name]
    return " ".join(seen if listing.cursor_column else [str(total), *seen])
