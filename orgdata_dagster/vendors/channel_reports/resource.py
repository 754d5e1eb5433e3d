"""The Dagster resource of the reports of channels.

Here: its variables, limits and settings, and its client. Keep out: assets, the reports' columns.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.orchestration.assets.readers import json_reader
from orgdata_dagster.orchestration.resources import Observer, UndocumentedLimitsResource
from orgdata_dagster.vendors.base.data_frame import frame, scratch, utc
from orgdata_dagster.vendors.channel_reports.client import FORMS_PATH, ChannelReportsClient, FormField
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS
from orgdata_dagster.warehouse.pages.json_pages import ARRAY, OBJECT

if TYPE_CHECKING:
    import pandas as pd


class ChannelReportsResource(UndocumentedLimitsResource):
    """Reads reports of channels within the rate limit that all processes share."""

    kind: ClassVar[str] = "channel_reports"
    variables: ClassVar[dict[str, str]] = {
        "base_url": "BASE_URL",
        "api_token": "API_TOKEN",
    }
    secret_fields: ClassVar[tuple[str, ...]] = ("api_token",)

    api_token: str
    token_header: str = "Authorization"
    token_prefix: str = "Bearer"
    forms_path: str = FORMS_PATH
    concurrent: int | None = 4
    probe_channel: int = 1

    def client(self, observer: Observer | None = None) -> ChannelReportsClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return ChannelReportsClient(self.http(observer), self.forms_path)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The request for the forms of the first channel in defs.yaml."""
        return self.forms_path, {"channel_id": str(self.probe_channel)}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the token."""
        headers = {self.token_header: f"{self.token_prefix} {self.api_token}".lstrip()}
        return self.http_client(headers=headers, observer=observer)

    def rows(
        self, endpoint: str, channel_id: int, start: datetime, end: datetime, field_id: int | None = None
    ) -> pd.DataFrame:
        """The rows of a report for `[start, end)`, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored.
        """
        about = ENDPOINTS[endpoint]
        with scratch() as (connection, folder), self.client() as client:
            page = client.report(
                endpoint,
                channel_id,
                utc(start),
                utc(end),
                fields=about.fields,
                field=None if field_id is None else FormField.listed(channel_id, field_id),
                into=folder / "report.json",
                read=json_reader(connection, records=OBJECT if about.one_object else ARRAY, flatten=about.flatten),
            )
            return frame(connection, [page], columns=list(about.columns))
