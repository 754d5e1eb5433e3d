"""The Dagster resource of octolis.

Here: its variables, its limits, and the client made of them. Keep out: requests (client.py), paging (walk.py), assets.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

from orgdata_dagster.http.budget import Rule
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.orchestration.resources import Observer, VendorResource
from orgdata_dagster.vendors.octolis import client as api


class OctolisResource(VendorResource):
    """Reads datasets, within the points that all processes and all keys of the account share.

    For assets, scripts and notebooks of your own:

        with octolis.client() as client:
            client.record("5f1c...", "28d912a6-...")
    """

    vendor: ClassVar[str] = "octolis"
    environment: ClassVar[dict[str, str]] = {"base_url": "OCTOLIS_BASE_URL", "api_key": "OCTOLIS_API_KEY"}
    defaults: ClassVar[dict[str, str]] = {"base_url": api.BASE_URL}
    secret_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: str
    points_per_second: float = api.POINTS_PER_SECOND
    points_per_minute: float = api.POINTS_PER_MINUTE
    account_points_per_minute: float = api.ACCOUNT_POINTS_PER_MINUTE
    probe_dataset: str = ""

    def rule(self) -> Rule:
        """The document's limits, or those of defs.yaml for a test server."""
        return api.rule(self.points_per_second, self.points_per_minute, self.account_points_per_minute)

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The number of records of the first dataset in defs.yaml: a point."""
        return f"/datasets/{quote(self.probe_dataset, safe='')}/records/count", {}

    def client(self, observer: Observer | None = None) -> api.OctolisClient:
        """A client that pays the shared budget; `observer` sees every request."""
        return api.OctolisClient(self.http(observer))

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the key and octolis' errors."""
        return self.http_client(
            headers=api.HEADERS,
            params={api.API_KEY_PARAMETER: self.api_key},
            observer=observer,
            error_reader=api.read_error,
        )
