"""The Dagster resource of Together.

Here: its variables, its rate limit, its circuit breaker, and its client.
Keep out: requests (client.py), assets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster import settings
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule, Window
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
        default=60.0, gt=0, description="Seconds between two requests; less than 60 only for a test server."
    )

    def rule(self) -> Rule:
        """One request at a time. If the time of the last request is unknown, it counts as just now.

        The margin allows for a request that arrives late. It is 3 % of the interval, and at least 0.1 s, because delays
        do not shrink with the interval. Two requests are thus sent 61.8 s apart, and the first may be 1.8 s late before
        the vendor sees less than a minute between them. The usual 5 % would mean 63 s, which leaves no time for a late
        wake-up.
        """
        seconds = self.seconds_between_requests
        margin = min(max(0.03, 0.1 / seconds), 0.9)
        return Rule(buckets=((Window(1, seconds),),), in_flight=1, margin=margin, unknown_past="spent")


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
        return self._limits.rule()

    def retry_policy(self) -> RetryPolicy:
        """Waits of at least 1, 2, 4, 8 and 16 intervals: "exponentially back off and try again later".

        The waits apply to the whole organisation: after a failure, no other report is requested earlier.
        """
        seconds = self._limits.seconds_between_requests
        return RetryPolicy(
            attempts=self.retries.attempts,
            total_seconds=60 * seconds,
            first_wait=seconds / 10,
            longest_wait=32 * seconds,
            shortest_wait=seconds,
            longest_pause=self.retries.longest_pause,
            shared_backoff=True,
        )

    @property
    def _limits(self) -> TogetherLimits:
        url = self.base_url
        if isinstance(url, dg.EnvVar):  # outside a run, such as in `orgdata status` and `plan`
            url = url.get_value() or ""
        pace = settings.test_server_pace(url)
        return TogetherLimits(seconds_between_requests=pace) if pace else self.limits

    def client(self, observer: Observer | None = None) -> api.TogetherClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return api.TogetherClient(self.http(observer), self.organization_id)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The request for a report, because there is no cheaper one. It uses up the one request of this minute."""
        return api.path(self.organization_id, "users"), {}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the documented headers."""
        headers = {"organization-id": self.organization_id, "client-id": self.client_id, "api-key": self.api_key}
        return self.http_client(headers={**headers, "content-type": "application/json"}, observer=observer)

    def rows(self, table: str) -> pd.DataFrame:
        """The current rows of `users`, `pairings` or `sessions`, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored. It uses up the one request of this minute.
        """
        with scratch() as (connection, folder), self.client() as client:
            page = client.report(table, into=folder / "report.csv", read=csv_reader(connection, None))
            return frame(connection, [page], columns=page.page.columns)
