"""The change probe of a dataset, for one record.

Here: the probe. Keep out: the sensor (orchestration/automation/change_sensor.py), pulls (pulling.py).

The probe notices a deletion only if the newest record was deleted. Other deletions show when a scheduled pull compares
the counts.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.vendors.octolis.client import MASTERID, MODIFIED_AT, NEEDED, OctolisClient, Query
from orgdata_dagster.vendors.octolis.walk import RankRange


def newest(client: OctolisClient, query: Query) -> str:
    """Return the newest record's instant and masterid as text; an empty text for a dataset without records.

    Raises the errors of HttpClient.fetch.
    """
    small = Query(query.dataset, query.filter, NEEDED)
    with tempfile.TemporaryDirectory() as folder:
        return client.page(small, RankRange(1, 1), into=Path(folder) / "newest.json", read=_mark)


def _mark(download: Download) -> str:
    try:
        records = json.loads(download.path.read_bytes())["records"]
        return f"{records[0][MODIFIED_AT]} {records[0][MASTERID]}" if records else ""
    except (ValueError, LookupError, TypeError) as error:
        raise BadBody(f"no page of records: {type(error).__name__} {error}") from None
