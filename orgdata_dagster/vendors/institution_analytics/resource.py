"""The Dagster resource of the institution's analytics API.

Here: its variables, limits and settings, and its client. Keep out: paging (walk.py), assets.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, cast

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.orchestration.assets.readers import csv_reader
from orgdata_dagster.orchestration.resources import Observer, UndocumentedLimitsResource
from orgdata_dagster.vendors.base.data_frame import frame, scratch, utc
from orgdata_dagster.vendors.institution_analytics.client import Endpoint, InstitutionAnalyticsClient, Precision
from orgdata_dagster.vendors.institution_analytics.time_ranges import Slice, TimeRange
from orgdata_dagster.vendors.institution_analytics.walk import MICROSECOND
from orgdata_dagster.warehouse.names import literal, quoted

if TYPE_CHECKING:
    import pandas as pd


class InstitutionAnalyticsResource(UndocumentedLimitsResource):
    """Reads the institution's data sets within the rate limit that all processes share."""

    kind: ClassVar[str] = "institution_analytics"
    variables: ClassVar[dict[str, str]] = {
        "base_url": "BASE_URL",
        "api_key": "API_KEY",
    }
    secret_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: str
    api_key_header: str = "api-key"
    cursor_column: str = "updated_date"
    path: str = Endpoint.path
    data_set_parameter: str = Endpoint.data_set_parameter
    after_parameter: str = Endpoint.after_parameter
    before_parameter: str = Endpoint.before_parameter
    precision: str = Endpoint.precision
    page_rows: int = Endpoint.page_rows
    probe_data_set: str = ""

    def client(self, observer: Observer | None = None) -> InstitutionAnalyticsClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        endpoint = Endpoint(
            path=self.path,
            data_set_parameter=self.data_set_parameter,
            after_parameter=self.after_parameter,
            before_parameter=self.before_parameter,
            precision=cast(Precision, self.precision),
            page_rows=self.page_rows,
        )
        return InstitutionAnalyticsClient(self.http(observer), endpoint)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The rows of the first data set in defs.yaml that were updated in the last second."""
        after = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        named = {self.data_set_parameter: self.probe_data_set, self.after_parameter: f"{after:%Y-%m-%dT%H:%M:%SZ}"}
        return self.path, named

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the key."""
        return self.http_client(headers={self.api_key_header: self.api_key}, observer=observer)

    def rows(self, data_set: str, start: datetime, end: datetime) -> pd.DataFrame:
        """The rows of a data set with `start <= instant < end`, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored.
        """
        import pandas as pd  # only here: it takes longer to import than a small pull does to run

        time_range = TimeRange(utc(start) - MICROSECOND, utc(end) - MICROSECOND)
        at = f"CAST({quoted(self.cursor_column)} AS TIMESTAMPTZ)"
        frames = []
        with scratch() as (connection, folder), self.client() as client:
            read = csv_reader(connection, self.cursor_column)
            for item in client.pages(data_set, time_range, folder=folder, read=read):
                if isinstance(item, Slice) and item.page.records:
                    kept = f"{at} > {literal(str(item.after))} AND {at} <= {literal(str(item.until))}"
                    frames.append(frame(connection, [item.page], where=kept))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
