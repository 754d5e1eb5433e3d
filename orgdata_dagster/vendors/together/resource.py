"""The Dagster resource of Together.

Here: its variables, its rate limit, its circuit breaker, and its client.
Keep out: requests (client.py), assets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster import settings
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.http.records import Observer
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.orchestration.assets.readers import csv_reader
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.vendors.base.data_frame import frame, scratch
from orgdata_dagster.vendors.together import client as api

if TYPE_CHECKING:
    import pandas as pd


class TogetherLimits(dg.Config, dg.Resolvable):
    """The documented rate limit. The vendor revokes a key that breaks it."""

    model_config = ConfigDict(extra="forbid")

    seconds_between_requests: float = Field(
        default=api.MINUTE,
        gt=0,
        description="Seconds between two requests; less than 60 only for a test server.",
    )


class TogetherResource(VendorResource):
    """Reads an organisation's reports, with one request per minute over all processes.

    A 401 opens the circuit breaker, because it may mean that the key was revoked.
    """

    kind: ClassVar[str] = "together"
    variables: ClassVar[dict[str, str]] = {
        "base_url": "BASE_URL",
        "organization_id": "ORGANIZATION_ID",
        "client_id": "CLIENT_ID",
        "api_key": "API_KEY",
    }
    defaults: ClassVar[dict[str, str]] = {"base_url": api.BASE_URL}
    secret_fields: ClassVar[tuple[str, ...]] = ("client_id", "api_key")
    circuit_breaker_statuses: ClassVar[tuple[int, ...]] = (401,)

    organization_id: str
    client_id: str
    api_key: str
    limits: TogetherLimits = TogetherLimits()

    def rule(self) -> Rule:
        """The documented limit, or a shorter one for a test server."""
        return api.rule(self._interval)

    @property
    def _interval(self) -> float:
        url = self.base_url
        if isinstance(url, dg.EnvVar):  # outside a run, such as in `orgdata status` and `plan`
            url = url.get_value() or ""
        return settings.test_server_pace(url) or self.limits.seconds_between_requests

    def retry_policy(self) -> RetryPolicy:
        """Waits that start at the interval and double."""
        return api.retry_policy(self.retries.attempts, self._interval, self.retries.longest_pause)

    def client(self, observer: Observer | None = None) -> api.TogetherClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return api.TogetherClient(self.http(observer), self.organization_id)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The request for a report, because there is no cheaper one. It uses up the one request of this minute."""
        return f"/public/{quote(self.organization_id, safe='')}/reports/export/{api.REPORTS['users']}", {}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the documented headers."""
        return self.http_client(
            headers=api.headers(self.organization_id, self.client_id, self.api_key), observer=observer
        )

    def rows(self, table: str) -> pd.DataFrame:
        """The current rows of `users`, `pairings` or `sessions`, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored. It uses up the one request of this minute.
        """
        with scratch() as (connection, folder), self.client() as client:
            page = client.report(table, into=folder / "report.csv", read=csv_reader(connection, None))
            return frame(connection, [page], columns=page.page.columns)
