"""The Dagster resource of a vendor that YAML describes.

Here: its variables and limits, and the client made of them. Keep out: requests (client.py), options (component.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from orgdata_dagster.http.announced import LimitHeaders
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.http.rest.auth import Auth, ClientCredentials, Fixed, basic, bearer
from orgdata_dagster.http.rest.errors import ErrorRules
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.orchestration.resources import Observer, VendorResource
from orgdata_dagster.vendors.rest.authentication import ApiKey, Bearer, HttpBasic, OAuth2ClientCredentials, auth_of
from orgdata_dagster.vendors.rest.client import RestClient


class RestApiResource(VendorResource):
    """Reads the lists of one vendor, within the limits that its YAML says and all processes share.

    `auth`: the options of authentication; `identity` and `secret` are the values of the variables that it names.
    `windows`: points and seconds. `least_remaining`: see LimitHeaders; `errors`: as ErrorRules.
    """

    kind: ClassVar[str] = "rest"
    variables: ClassVar[dict[str, str]] = {"base_url": "BASE_URL"}
    secret_fields: ClassVar[tuple[str, ...]] = ("identity", "secret")

    auth: dict[str, Any] = {"type": "none"}  # noqa: RUF012 - pydantic copies it
    default_base_url: str = ""
    identity: str = ""
    secret: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012
    params: dict[str, str] = {}  # noqa: RUF012
    concurrent: int | None = None
    windows: list[list[float]] = []  # noqa: RUF012
    least_remaining: float | None = None
    charged_header: str = ""
    errors: dict[str, Any] = {}  # noqa: RUF012
    retryable_statuses: list[int] = []  # noqa: RUF012
    probe_path: str = ""

    @classmethod
    def environment_of(cls, fields: Mapping[str, Any]) -> dict[str, str]:
        """Its base URL's variable, and those that `auth` names."""
        return {**super().environment_of(fields), **auth_of(fields["auth"]).variables()}

    @classmethod
    def defaults_of(cls, fields: Mapping[str, Any]) -> dict[str, str]:
        """The base URL of the YAML, where there is one."""
        return {"base_url": fields["default_base_url"]} if fields.get("default_base_url") else {}

    def rule(self) -> Rule:
        """The limits of the YAML file."""
        buckets = tuple((Window(points, seconds),) for points, seconds in self.windows)
        return Rule(buckets=buckets, in_flight=self.concurrent)

    def retry_policy(self) -> RetryPolicy:
        """As of every vendor, with the statuses that this one means to be retried."""
        usual = super().retry_policy()
        return RetryPolicy(
            attempts=usual.attempts,
            first_wait=usual.first_wait,
            longest_pause=usual.longest_pause,
            extra_statuses=frozenset(self.retryable_statuses),
        )

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """The first list that needs nothing filled in."""
        return (self.probe_path, {}) if self.probe_path else None

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with credentials that stay as they are."""
        options = auth_of(self.auth)
        params, headers = dict(self.params), {**self.headers, **self._fixed()}
        if isinstance(options, ApiKey) and options.location == "query":
            params[options.name] = self.secret
        if isinstance(options, OAuth2ClientCredentials):
            auth = self._client_credentials(options, observer)
            headers |= auth.headers()  # for `doctor`; a client renews its own
            auth.close()
        return self._http(headers, params, observer)

    def client(self, observer: Observer | None = None) -> RestClient:
        """A client that pays the shared rate limit; `observer` sees every request."""
        options, rules = auth_of(self.auth), self.error_rules()
        params = dict(self.params)
        auth: Auth = Fixed(self._fixed())
        if isinstance(options, ApiKey) and options.location == "query":
            params[options.name] = self.secret
        if isinstance(options, OAuth2ClientCredentials):
            auth = self._client_credentials(options, observer)
        return RestClient(self._http(self.headers, params, observer), auth, rules)

    def error_rules(self) -> ErrorRules:
        """How the vendor tells errors."""
        sets = {name: frozenset(map(str, self.errors.get(name, ()))) for name in _CODES}
        return ErrorRules(self.errors.get("code", ""), self.errors.get("message", ""), **sets)

    def _fixed(self) -> dict[str, str]:
        match auth_of(self.auth):
            case Bearer():
                return bearer(self.secret)
            case HttpBasic():
                return basic(self.identity, self.secret)
            case ApiKey(location="header") as options:
                return {options.name: f"{options.prefix}{self.secret}"}
        return {}

    def _http(self, headers: Mapping[str, str], params: Mapping[str, str], observer: Observer | None) -> HttpClient:
        return self.http_client(
            headers=headers,
            params=params,
            observer=observer,
            error_reader=self.error_rules().read,
            limit_headers=LimitHeaders(self.least_remaining, self.charged_header),
        )

    def _client_credentials(self, options: OAuth2ClientCredentials, observer: Observer | None) -> ClientCredentials:
        url = urlsplit(options.access_token_url)
        http = self.http_client(observer=observer, base_url=f"{url.scheme}://{url.netloc}")
        return ClientCredentials(
            http,
            self.identity,
            self.secret,
            path=url.path,
            extra=options.access_token_request_data,
            in_header=options.credentials_in == "header",
        )


_CODES = ("success", "retryable", "permanent", "no_data")
