"""The Dagster resource of octolis.

Here: its variables, limits and clients. Keep out: requests (client.py), paging (walk.py), assets.
"""

from __future__ import annotations

import os
from functools import cache
from typing import ClassVar

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.http.records import Observer
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.vendors.octolis import client as api
from orgdata_dagster.vendors.octolis.writing import WRITE_POINTS, OctolisWriter


class OctolisLimits(dg.Config, dg.Resolvable):
    """The documented limits. A read costs 1 point, a write 10."""

    model_config = ConfigDict(extra="forbid")

    points_per_second: float = Field(default=25.0, ge=10, description="Points per second, per API key.")
    points_per_minute: float = Field(default=150.0, ge=10, description="Additional points per minute, per API key.")
    account_points_per_minute: float = Field(
        default=2000.0, ge=10, description="Points per minute, for all API keys of the account together."
    )

    def rule(self) -> Rule:
        """The same as a rule, by the document's section "Rate limiting".

        A request is charged to the window of a second if it fits there, otherwise to the window of a minute, and always
        to the account's window. All keys of the account share one rate limit here. The margin allows for requests that
        arrive 0.07 s late, as they do on a busy machine or network.
        """
        key = (Window(self.points_per_second, 1), Window(self.points_per_minute, 60))
        return Rule(buckets=(key, (Window(self.account_points_per_minute, 60),)), margin=0.07)

    @property
    def writes_per_minute(self) -> int:
        """The number of write requests per minute that the limits allow, by the document's formula.

        The document computes "(25 / 10) * 60 + (150 / 10) = 135", and rounds down.
        """
        of_the_key = int(self.points_per_second // WRITE_POINTS) * 60 + int(self.points_per_minute // WRITE_POINTS)
        return min(of_the_key, int(self.account_points_per_minute // WRITE_POINTS))


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
        return self.limits.rule()

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """The request for the number of records of the first dataset in defs.yaml; it costs one point."""
        return (f"{api.records_path(self.probe_dataset)}/count", {}) if self.probe_dataset else None

    def client(self, observer: Observer | None = None) -> api.OctolisClient:
        """A reading client that keeps the shared rate limit. `observer` is called for every request."""
        return api.OctolisClient(self.http(observer))

    def writer(self, observer: Observer | None = None) -> OctolisWriter:
        """A writing client that keeps the shared rate limit. `observer` is called for every request."""
        return OctolisWriter(self.http(observer))

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
