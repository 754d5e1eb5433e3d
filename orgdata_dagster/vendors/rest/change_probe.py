"""The change probe of a list, for one row.

Here: the probe. Keep out: the sensor (orchestration/automation/change_sensor.py), pulls (pulling.py).

The probe reads the newest row if the list is sorted newest first; otherwise a row that changed since the table was
complete; for a list without filters, the first row. It adds the vendor's number of rows if answers have it: only that
number shows deletions.
"""

from __future__ import annotations

from orgdata_dagster.orchestration.automation.change_sensor import ChangeProbe
from orgdata_dagster.orchestration.automation.gaps import Coverage
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_settings import RestList


def probe_of(source: RestList) -> ChangeProbe:
    """The change probe of a list. It returns an empty text if nothing has changed since the table was complete."""
    listing, filters = source.listing, source.filters

    def probe(client: RestClient, known: Coverage) -> str:
        complete = [part.end for parts in known.values() for part in parts if part.complete]
        wanted = listing
        if filters and not listing.newest_first:
            since = max(complete).replace(microsecond=0) if complete else filters.initial
            wanted = filters.within(listing, since, None)
        rows, total = client.peek(wanted)
        if filters and not rows:
            return ""
        changes = [filters.column] if filters and filters.column else []
        seen = [str(row.get(name)) for row in rows for name in (*changes, *listing.key)]
        return " ".join([*([] if total is None else [str(total)]), *seen])

    return probe
