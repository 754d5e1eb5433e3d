"""The Dagster resource of octolis.

Here: its variables, limits and clients. Keep out: requests (client.py), paging (walk.py), assets.
"""

from __future__ import annotations

import os
from functools import cache
from typing import ClassVar
from urllib.parse import quote

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.http.records import Observer
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.vendors.octolis import client as api
from orgdata_dagster.vendors.octolis import writing


class OctolisLimits(dg.Config, dg.Resolvable):
    """The documented limits. A read costs 1 point, a write 10."""

    model_config = ConfigDict(extra="forbid")

    points_per_second: float = Field(
        default=api.POINTS_PER_SECOND, ge=10, description="Points per second, per API key."
    )
    points_per_minute: float = Field(
        default=api.POINTS_PER_MINUTE, ge=10, description="Additional points per minute, per API key."
    )
    account_points_per_minute: float = Field(
        default=api.ACCOUNT_POINTS_PER_MINUTE,
        ge=10,
        description="Points per minute, for all API keys of the account together.",
    )


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
    limits: OctolisLimits = OctolisLimits()
    probe_dataset: str = ""

    def rule(self) -> Rule:
        """The documented limits, or those of defs.yaml for a test server."""
        return api.rule(**self.limits.model_dump())

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """The request for the number of records of the first dataset in defs.yaml; it costs one point."""
        if not self.probe_dataset:
            return None
        return f"/datasets/{quote(self.probe_dataset, safe='')}/records/count", {}

    @property
    def writes_per_minute(self) -> int:
        """The number of write requests per minute that the limits allow."""
        return writing.writes_per_minute(**self.limits.model_dump())

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


def resource_for(limits: OctolisLimits, retries: Retries, dataset: str, account: str = "") -> OctolisResource:
    """The resource with these options; the same object for equal options.

    Every Component of octolis defines the resource, and Dagster accepts a repeated key only for the same object.

    dataset: id of the dataset that `orgdata doctor` counts; "" for none.
    """
    variables = OctolisResource.environment_of({"account": account})
    unset = tuple(name for name in OctolisResource.defaults if not os.environ.get(variables[name]))
    return _shared(unset, limits, retries, dataset, account)


@cache
def _shared(
    _unset: tuple[str, ...], limits: OctolisLimits, retries: Retries, dataset: str, account: str
) -> OctolisResource:
    return OctolisResource.from_variables(limits=limits, retries=retries, probe_dataset=dataset, account=account)
