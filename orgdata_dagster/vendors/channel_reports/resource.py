"""The Dagster resource of the reports of channels.

Here: its variables, limits and settings, and its client. Keep out: assets, the reports' columns.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.records import Observer
from orgdata_dagster.orchestration.assets.readers import json_reader
from orgdata_dagster.orchestration.config.request_options import AtLeastOne, Limits
from orgdata_dagster.orchestration.resources import UndocumentedLimitsResource
from orgdata_dagster.vendors.base.data_frame import frame, scratch, utc
from orgdata_dagster.vendors.channel_reports.client import FORMS_PATH, ChannelReportsClient, FormField
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS
from orgdata_dagster.warehouse.pages.json_pages import ARRAY, OBJECT

if TYPE_CHECKING:
    import pandas as pd


class ChannelReportsLimits(Limits):
    """The rate limit; null: no bound."""

    concurrent: AtLeastOne | None = Field(default=4, description="Concurrent requests, over all processes.")


class ChannelReportsApi(dg.Config, dg.Resolvable):
    """Names that the vendor's document leaves open."""

    model_config = ConfigDict(extra="forbid")

    token_header: str = Field(default="Authorization", description="Header with CHANNEL_REPORTS_API_TOKEN.")
    token_prefix: str = Field(default="Bearer", description="Prefix of the token; empty: no prefix.")
    forms_path: str = Field(default=FORMS_PATH, description="Path of the Forms API, after CHANNEL_REPORTS_BASE_URL.")


class ChannelReportsResource(UndocumentedLimitsResource):
    """Reads reports of channels within the rate limit that all processes share."""

    kind: ClassVar[str] = "channel_reports"
    variables: ClassVar[dict[str, str]] = {
        "base_url": "BASE_URL",
        "api_token": "API_TOKEN",
    }
    secret_fields: ClassVar[tuple[str, ...]] = ("api_token",)

    api_token: str
    limits: ChannelReportsLimits = ChannelReportsLimits()
    api: ChannelReportsApi = ChannelReportsApi()
    probe_channel: int = 1

    def client(self, observer: Observer | None = None) -> ChannelReportsClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return ChannelReportsClient(self.http(observer), self.api.forms_path)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The request for the forms of the first channel in defs.yaml."""
        return self.api.forms_path, {"channel_id": str(self.probe_channel)}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the token."""
        headers = {self.api.token_header: f"{self.api.token_prefix} {self.api_token}".lstrip()}
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
