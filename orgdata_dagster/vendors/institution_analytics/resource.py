"""The Dagster resource of the institution's analytics API.

Here: its variables, limits and settings, and its client. Keep out: paging (walk.py), assets.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import dagster as dg
from pydantic import Field

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.records import Observer
from orgdata_dagster.orchestration.assets.readers import csv_reader
from orgdata_dagster.orchestration.resources import UndocumentedLimitsResource
from orgdata_dagster.vendors.base.data_frame import frame, scratch, utc
from orgdata_dagster.vendors.institution_analytics.client import InstitutionAnalyticsClient, RequestFormat
from orgdata_dagster.vendors.institution_analytics.time_ranges import MICROSECOND, Slice, TimeRange
from orgdata_dagster.warehouse.names import literal, quoted

if TYPE_CHECKING:
    import pandas as pd


class InstitutionAnalyticsApi(RequestFormat, dg.Config, dg.Resolvable):
    """What the vendor's document leaves open."""

    api_key_header: str = Field(default="api-key", description="Header with INSTITUTION_ANALYTICS_API_KEY.")
    cursor_column: str = Field(default="updated_date", description="Column with the time of a row's last update.")


class InstitutionAnalyticsResource(UndocumentedLimitsResource):
    """Reads the institution's data sets within the rate limit that all processes share."""

    kind: ClassVar[str] = "institution_analytics"
    variables: ClassVar[dict[str, str]] = {
        "base_url": "BASE_URL",
        "api_key": "API_KEY",
    }
    secret_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: str
    api: InstitutionAnalyticsApi = InstitutionAnalyticsApi()
    probe_data_set: str = ""

    def client(self, observer: Observer | None = None) -> InstitutionAnalyticsClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return InstitutionAnalyticsClient(self.http(observer), self.api)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The rows of the first data set in defs.yaml that were updated in the last second."""
        after = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
        text = f"{after:%Y-%m-%dT%H:%M:%SZ}"
        return self.api.path, {self.api.data_set_parameter: self.probe_data_set, self.api.after_parameter: text}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the key."""
        return self.http_client(headers={self.api.api_key_header: self.api_key}, observer=observer)

    def rows(self, data_set: str, start: datetime, end: datetime) -> pd.DataFrame:
        """The rows of a data set with `start <= instant < end`, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored.
        """
        import pandas as pd  # only here: it takes longer to import than a small pull does to run

        time_range = TimeRange(utc(start) - MICROSECOND, utc(end) - MICROSECOND)
        at = f"CAST({quoted(self.api.cursor_column)} AS TIMESTAMPTZ)"
        frames = []
        with scratch() as (connection, folder), self.client() as client:
            read = csv_reader(connection, self.api.cursor_column)
            for item in client.pages(data_set, time_range, folder=folder, read=read):
                if isinstance(item, Slice) and item.page.records:
                    kept = f"{at} > {literal(str(item.after))} AND {at} <= {literal(str(item.until))}"
                    frames.append(frame(connection, [item.page], where=kept))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
