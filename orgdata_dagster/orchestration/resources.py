"""Dagster resources that vendors share: the warehouse, and the base of every vendor's resource.

Here: `WarehouseResource`, `VendorResource`. Add here when: every vendor needs another field or method. Keep out: a
vendor's own parameters (its resource.py).

Credentials are `EnvVar`s: the UI shows only the variable's name, and a missing one fails only the runs that need it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import dagster as dg
import httpx

from orgdata_dagster import settings
from orgdata_dagster.http.circuit_breaker import CircuitBreaker, fingerprint
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.connection import Timeouts
from orgdata_dagster.http.errors import ErrorDetail
from orgdata_dagster.http.limit_headers import LimitHeaders
from orgdata_dagster.http.rate_limit import RateLimit, Rule
from orgdata_dagster.http.records import Download, Observer
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.orchestration import opening, telemetry
from orgdata_dagster.orchestration.config.request_options import Limits, Retries
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder

if TYPE_CHECKING:
    import pandas as pd

ErrorReader = Callable[[bytes, httpx.Headers], ErrorDetail]


class WarehouseResource(dg.ConfigurableResource):
    """The warehouse, for assets, checks and notebooks: `warehouse.query("select ...")` returns a DataFrame.

    uri: default ORGDATA_WAREHOUSE, or the DuckDB file in ORGDATA_HOME. A URI with a password belongs in a variable
        (`dg.EnvVar`), because the UI shows this field.
    patience: seconds to wait for another program that holds the warehouse.
    queue_patience: seconds to wait for other processes of orgdata; None for no limit.
    """

    uri: str = ""
    patience: float = 60
    queue_patience: float | None = None

    def open(self) -> Warehouse:
        """Open the warehouse, for code that writes to it."""
        return opening.warehouse(self.uri, patience=self.patience, queue_patience=self.queue_patience)

    def query(self, sql: str, parameters: list[object] | None = None) -> pd.DataFrame:
        """The rows of one SELECT. Times are UTC. DECIMAL becomes float, so do exact arithmetic in SQL."""
        return self.open().query(sql, parameters)


class VendorResource(dg.ConfigurableResource):
    """Base of a vendor's resource.

    kind: the vendor's name.
    account: name of the account, if a vendor has several. Its schema, group, pool, variables and rate limit have this
        name.
    variables: field -> environment variable, without the name as prefix (`BASE_URL`).
    defaults: field -> value if its variable is not set.
    secret_fields: fields whose values must never be shown.
    circuit_breaker_statuses: HTTP statuses that open the circuit breaker.
    patience: for change probes and `doctor`. A request is sent only once, and waits at most this many seconds for the
        rate limit and for the answer.
    """

    kind: ClassVar[str]
    variables: ClassVar[Mapping[str, str]]
    defaults: ClassVar[Mapping[str, str]] = {}
    secret_fields: ClassVar[tuple[str, ...]]
    circuit_breaker_statuses: ClassVar[tuple[int, ...]] = ()

    account: str = ""
    base_url: str
    retries: Retries = Retries()
    patience: float | None = None

    @property
    def vendor(self) -> str:
        """The name of schema, group, pool, resource and rate limit: the account, or the vendor without an account."""
        return self.account or self.kind

    @property
    def environment(self) -> dict[str, str]:
        """Field -> its environment variable."""
        return self.environment_of(vars(self))

    @classmethod
    def environment_of(cls, fields: Mapping[str, Any]) -> dict[str, str]:
        """The same for a resource that will be created with these fields."""
        prefix = str(fields.get("account") or cls.kind).upper()
        return {name: f"{prefix}_{variable}" for name, variable in cls.variables.items()}

    @classmethod
    def defaults_of(cls, fields: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG003
        """Field -> its default value, for a resource that will be created with these fields."""
        return cls.defaults

    @classmethod
    def from_environment(cls, **fields: Any) -> Self:
        """Create the resource with its variables read now, for notebooks and scripts outside Dagster."""
        return cls._made(fields, lambda variable: os.environ[variable])

    @classmethod
    def from_variables(cls, **fields: Any) -> Self:
        """Create the resource for Dagster, which reads its variables when a run starts."""
        return cls._made(fields, dg.EnvVar)

    @classmethod
    def _made(cls, fields: dict[str, Any], read: Callable[[str], str]) -> Self:
        variables = cls.environment_of(fields)
        defaults = cls.defaults_of(fields)
        unset: dict[str, Any] = {name: value for name, value in defaults.items() if not os.environ.get(variables[name])}
        found: dict[str, Any] = {name: read(variable) for name, variable in variables.items() if name not in unset}
        return cls(**unset, **found, **fields)

    def read_now(self, **changes: object) -> Self:
        """The same resource with its variables read now, for sensors and checks outside a step."""
        plain = {name: getattr(self, name) for name in type(self).model_fields if name not in self.environment}
        return type(self).from_environment(**{**plain, **changes})

    def needed_variables(self) -> list[str]:
        """The required environment variables."""
        optional = self.defaults_of(vars(self))
        return [variable for name, variable in self.environment.items() if name not in optional]

    def missing_variables(self) -> list[str]:
        """The required environment variables that are not set."""
        return [variable for variable in self.needed_variables() if not os.environ.get(variable)]

    def not_configured(self) -> str:
        """Why the vendor is not configured, with the variables to set; "" if it is configured."""
        missing = self.missing_variables()
        return f"not configured: set {', '.join(missing)}" if missing else ""

    def notices(self) -> list[str]:
        """Warnings about the variables, such as a token that expires soon."""
        return []

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """Endpoint and parameters of the cheapest request that needs the credentials; None if there is none."""
        raise NotImplementedError(f"{type(self).__qualname__} must define `probe_request`")

    def probe(self) -> Download | None:
        """Send the `probe_request`, for `orgdata doctor`. Raises the errors of HttpClient.fetch."""
        if (request := self.probe_request()) is None:
            return None
        endpoint, params = request
        with owned_folder(settings.staging()) as folder, self.http() as client:
            return client.fetch(endpoint, params=params, into=folder / "answer", read=lambda download: download)

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the vendor's credentials and error format."""
        raise NotImplementedError(f"{type(self).__qualname__} must define `http`")

    def client(self, observer: Observer | None = None) -> Any:
        """The vendor's own client, a context manager. `observer` is called for every request."""
        raise NotImplementedError(f"{type(self).__qualname__} must define `client`")

    def rule(self) -> Rule:
        """The vendor's rate limit as a rule."""
        raise NotImplementedError(f"{type(self).__qualname__} must define `rule`")

    def rate_limit(self) -> RateLimit:
        """The vendor's rate limit, shared by every process with the same state."""
        return RateLimit(
            self.vendor,
            self.rule(),
            shared_state(),
            patience=self.patience,
            longest_pause=self.longest_pause(),
        )

    def longest_pause(self) -> float:
        """The longest pause of the vendor, in seconds."""
        policy = self.retry_policy()
        return max(policy.longest_pause, policy.longest_wait) if policy.shared_backoff else policy.longest_pause

    def circuit_breaker(self) -> CircuitBreaker | None:
        """The vendor's circuit breaker; None if it has none."""
        if not self.circuit_breaker_statuses:
            return None
        credentials = fingerprint(getattr(self, name) for name in self.secret_fields)
        return CircuitBreaker(
            self.vendor, shared_state(), fingerprint=credentials, statuses=self.circuit_breaker_statuses
        )

    def retry_policy(self) -> RetryPolicy:
        """The retry policy of a request; vendors with their own rules override it."""
        return RetryPolicy(**self.retries.model_dump())

    def http_client(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        observer: Observer | None = None,
        error_reader: ErrorReader | None = None,
        limit_headers: LimitHeaders | None = None,
        base_url: str = "",
    ) -> HttpClient:
        """The client for every request to this vendor.

        error_reader: reads the vendor's error format.
        base_url: another address of the vendor, such as that of its tokens; "" for the usual one.
        """
        environment = self.environment
        return HttpClient(
            self.vendor,
            base_url or self.base_url,
            headers=headers,
            params=params,
            secrets=[getattr(self, name) for name in self.secret_fields],
            credentials_from=[environment[name] for name in self.secret_fields if name in environment],
            base_url_from=environment["base_url"],
            rate_limit=self.rate_limit(),
            limit_headers=limit_headers,
            retry=self.retry_policy() if self.patience is None else replace(self.retry_policy(), attempts=1),
            timeouts=Timeouts() if self.patience is None else Timeouts(read=self.patience, whole=self.patience),
            observer=telemetry.observing(observer),
            error_reader=error_reader,
            circuit_breaker=self.circuit_breaker(),
        )


class UndocumentedLimitsResource(VendorResource):
    """Base for vendors whose document gives no limit: a polite default, which the YAML file may change."""

    limits: Limits = Limits()

    def rule(self) -> Rule:
        """The limits of the YAML file."""
        return self.limits.rule()
