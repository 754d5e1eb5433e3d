"""The Dagster resource of accutics.

Here: its variables and limits, its client, and the warning about a token that expires.
Keep out: requests (client.py), assets.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.orchestration.assets.readers import json_reader
from orgdata_dagster.orchestration.resources import Observer, UndocumentedLimitsResource
from orgdata_dagster.vendors.accutics import token
from orgdata_dagster.vendors.accutics.client import RECORDS, AccuticsClient, Listing
from orgdata_dagster.vendors.accutics.search import Condition
from orgdata_dagster.vendors.base.rows import frame, scratch

if TYPE_CHECKING:
    import pandas as pd


class AccuticsResource(UndocumentedLimitsResource):
    """Reads lists of accutics within the rate limit that all processes share."""

    kind: ClassVar[str] = "accutics"
    variables: ClassVar[dict[str, str]] = {"base_url": "BASE_URL", "api_token": "API_TOKEN"}
    secret_fields: ClassVar[tuple[str, ...]] = ("api_token",)

    api_token: str
    probe_path: str = ""

    def notices(self) -> list[str]:
        """A warning if the token in the environment has expired or expires within a week."""
        said = token.notice(os.environ.get(self.environment["api_token"], ""), datetime.now(UTC))
        return [f"{self.environment['api_token']}: {said}"] if said else []

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """A row of the first entity in defs.yaml."""
        return self.probe_path, {"page_size": "1"}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the token."""
        return self.http_client(headers={"Authorization": f"Bearer {self.api_token}"}, observer=observer)

    def client(self, observer: Observer | None = None) -> AccuticsClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return AccuticsClient(
            self.http(observer), base_url=self.base_url, api_token=self.api_token, now=lambda: datetime.now(UTC)
        )

    def rows(self, listing: Listing, *conditions: Condition) -> pd.DataFrame:
        """The rows of a list that meet all conditions, every column as text, nested values as JSON.

        For your own assets, scripts and notebooks. Nothing is stored.
        """
        with scratch() as (connection, folder), self.client() as client:
            read = json_reader(connection, records=RECORDS)
            rows = frame(connection, client.pages(listing, *conditions, folder=folder, read=read).pages)
        # a row that moved while it was paged may have come twice
        return rows.drop_duplicates(subset=list(listing.key), keep="last", ignore_index=True) if len(rows) else rows
