"""Together's reports API: three reports, each one whole CSV inside a JSON string (vendor_apis/together.md).

    GET {base_url}/public/{organizationId}/reports/export/userReport     ->  together.users
    GET {base_url}/public/{organizationId}/reports/export/pairingReport  ->  together.pairings
    GET {base_url}/public/{organizationId}/reports/export/sessionReport  ->  together.sessions

Here: the request for a report. Add here when: there is another report.
Keep out: Dagster and DuckDB (the caller passes a reader), the JSON around the CSV (report.py), the rate limit
(resource.py).

There is no paging and no time parameter: a report is the current state. "To avoid your key being revoked, you must send
requests at the less frequent rate of: 1 request per minute, 1 request at a time."

Environment: TOGETHER_BASE_URL, TOGETHER_ORGANIZATION_ID, TOGETHER_CLIENT_ID, TOGETHER_API_KEY. Alone:

    from orgdata_dagster.vendors.together.resource import TogetherResource
    TogetherResource.from_environment().rows("users")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.body import file_is_html
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.vendors.together.report import unwrap

BASE_URL = "https://api.togetherplatform.com"

# Table -> the document's name of its report.
REPORTS: Mapping[str, str] = {"users": "userReport", "pairings": "pairingReport", "sessions": "sessionReport"}

_T = TypeVar("_T")


def path(organization_id: str, table: str) -> str:
    """The endpoint of the report of a table."""
    return f"/public/{quote(organization_id, safe='')}/reports/export/{REPORTS[table]}"


class TogetherClient(ApiClient):
    """Reads one organisation's reports through `http`, which keeps the rate limit and retries."""

    def __init__(self, http: HttpClient, organization_id: str) -> None:
        super().__init__(http)
        self._organization_id = organization_id

    def report(self, table: str, *, into: Path, read: Callable[[Download], _T]) -> _T:
        """Download the report of a table as the CSV file `into`; returns the result of `read`.

        A report that is empty, HTML or truncated, and a BadBody from `read`, are retried like a network error.
        Raises the errors of HttpClient.fetch.
        """

        def unwrapped(download: Download) -> _T:
            try:
                unwrap(download.path, into)
                download.path.unlink()  # a large report should not be on disk twice
                if into.stat().st_size == 0:
                    raise BadBody("the report is an empty text, without even a header")
                if file_is_html(into):
                    raise BadBody("the report is an HTML page, not data")
                return read(replace(download, path=into))
            except BaseException:
                into.unlink(missing_ok=True)
                raise

        endpoint = path(self._organization_id, table)
        return self._http.fetch(endpoint, into=into.with_suffix(".json"), read=unwrapped)
