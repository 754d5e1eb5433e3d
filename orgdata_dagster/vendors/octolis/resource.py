"""The Dagster resource of octolis.

Here: its variables, limits and clients. Keep out: requests (client.py), paging (walk.py), assets.
"""

from __future__ import annotations

import os
from functools import cache
from typing import ClassVar
from urllib.parse import quote

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.orchestration.resources import Observer, VendorResource
from orgdata_dagster.vendors.octolis import client as api
from orgdata_dagster.vendors.octolis import writing


class OctolisResource(VendorResource):
    """Reads and writes datasets, within the rate limit that all processes and all keys of the account share.

    For your own assets, scripts and notebooks:

        with octolis.client() as client:
            client.record("5f1c...", "28d912a6-...")
    """

    kind: ClassVar[str] = "octolis"
    variables: ClassVar[dict[str, str]] = {"base_url": "BASE_URL", "api_key": "API_KEY"}
    defaults: ClassVar[dict[str, str]] = {"base_url": api.BASE_URL}
    secret_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: str
    points_per_second: float = api.POINTS_PER_SECOND
    points_per_minute: float = api.POINTS_PER_MINUTE
    account_points_per_minute: float = api.ACCOUNT_POINTS_PER_MINUTE
    probe_dataset: str = ""

    def rule(self) -> Rule:
        """The documented limits, or those of defs.yaml for a test server."""
        return api.rule(self.points_per_second, self.points_per_minute, self.account_points_per_minute)

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """The request for the number of records of the first dataset in defs.yaml; it costs one point."""
        if not self.probe_dataset:
            return None
        return f"/datasets/{quote(self.probe_dataset, safe='')}/records/count", {}

    @property
    def writes_per_minute(self) -> int:
        """The number of write requests per minute that the limits allow."""
        return writing.writes_per_minute(self.points_per_second, self.points_per_minute, self.account_points_per_minute)

    def client(self, observer: Observer | None = None) -> api.OctolisClient:
        """A reading client that keeps the shared rate limit. `observer` is called for every request."""
        return api.OctolisClient(self.http(observer))

    def writer(self, observer: Observer | None = None) -> writing.OctolisWriter:
        """A writing client that keeps the shared rate limit. `observer` is called for every request."""
        return writing.OctolisWriter(self.http(observer))

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the key and octolis' error format."""
        return self.http_client(
            headers=api.HEADERS,
            params={api.API_KEY_PARAMETER: self.api_key},
            observer=observer,
            error_reader=api.read_error,
        )


def shared_resource(**fields: float | str) -> OctolisResource:
    """The resource with these limits and retries; the same object for equal options.

    Every Component of octolis defines the resource, and Dagster accepts a repeated key only for the same object.
    """
    variables = OctolisResource.environment_of(fields)
    unset = tuple(name for name in OctolisResource.defaults if not os.environ.get(variables[name]))
    return _shared(unset, tuple(fields.items()))


@cache
def _shared(_unset: tuple[str, ...], fields: tuple[tuple[str, float | str], ...]) -> OctolisResource:
    return OctolisResource.from_variables(**dict(fields))
