"""The Dagster resource of a vendor that is described in YAML.

Here: its variables and limits, and its client. Keep out: requests (client.py), YAML (component.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.http.records import Observer
from orgdata_dagster.http.rest import jwt
from orgdata_dagster.http.rest.auth import Auth, ClientCredentials, Fixed, basic, bearer
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.vendors.rest.auth_options import ApiKey, Bearer, HttpBasic, OAuth2ClientCredentials, auth_of
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.error_options import RestErrors
from orgdata_dagster.vendors.rest.limit_options import RestLimits
from orgdata_dagster.vendors.rest.list_frame import list_frame
from orgdata_dagster.vendors.rest.list_request import Listing

if TYPE_CHECKING:
    import pandas as pd


class RestApiResource(VendorResource):
    """Reads the lists of one vendor within the rate limit that all processes share.

    auth: the options of the YAML.
    limits, errors: the same as JSON, because a mapping in Dagster's configuration cannot hold a null.
    identity, secret: the values of the variables that `auth` names.
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
    limits: str = "{}"
    errors: str = "{}"
    probe_path: str = ""

    @classmethod
    def environment_of(cls, fields: Mapping[str, Any]) -> dict[str, str]:
        """The variables of the base URL and of `auth`."""
        return {**super().environment_of(fields), **auth_of(fields["auth"]).variables()}

    @classmethod
    def defaults_of(cls, fields: Mapping[str, Any]) -> dict[str, str]:
        """The base URL of the YAML, if there is one."""
        return {"base_url": fields["default_base_url"]} if fields.get("default_base_url") else {}

    def rule(self) -> Rule:
        """The limits of the YAML file."""
        return self._limits.rule()

    def retry_policy(self) -> RetryPolicy:
        """The policy of every vendor, with this vendor's retryable statuses."""
        return replace(super().retry_policy(), extra_statuses=self._errors.retryable_statuses)

    @property
    def _limits(self) -> RestLimits:
        return RestLimits.model_validate_json(self.limits)

    @property
    def _errors(self) -> RestErrors:
        return RestErrors.model_validate_json(self.errors)

    def probe_request(self) -> tuple[str, dict[str, str]] | None:
        """The request for the first list without placeholders."""
        return (self.probe_path, {}) if self.probe_path else None

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with credentials, for a single request."""
        auth, params = self._credentials(observer)
        headers = {**self.headers, **auth.headers()}  # for `orgdata doctor`; the client of a pull renews its own token
        auth.close()
        return self._http(headers, params, observer)

    def client(self, observer: Observer | None = None) -> RestClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        auth, params = self._credentials(observer)
        advice = partial(jwt.refused, self.secret, jwt.RENEW)
        return RestClient(self._http(self.headers, params, observer), auth, self._errors.rules(), advice)

    def rows(self, listing: Listing) -> pd.DataFrame:
        """The rows of a list, every column as text. For your own assets, scripts and notebooks. Nothing is stored."""
        return list_frame(self.client(), listing)

    def notices(self) -> list[str]:
        """A warning if the token is a JWT that has expired or expires within a week."""
        variable = self.environment.get("secret", "")
        notice = jwt.notice(os.environ.get(variable, ""), datetime.now(UTC))
        return [f"{variable}: {notice}"] if notice else []

    def _credentials(self, observer: Observer | None) -> tuple[Auth, dict[str, str]]:
        """What adds headers to requests, and the query parameters of every request."""
        headers, params = dict[str, str](), dict(self.params)
        match auth_of(self.auth):
            case OAuth2ClientCredentials() as options:
                return self._client_credentials(options, observer), params
            case Bearer():
                headers = bearer(self.secret)
            case HttpBasic():
                headers = basic(self.identity, self.secret)
            case ApiKey(location="header") as options:
                headers = {options.name: f"{options.prefix}{self.secret}"}
            case ApiKey() as options:
                params[options.name] = self.secret
        return Fixed(headers), params

    def _http(self, headers: Mapping[str, str], params: Mapping[str, str], observer: Observer | None) -> HttpClient:
        return self.http_client(
            headers=headers,
            params=params,
            observer=observer,
            error_reader=self._errors.rules().read,
            limit_headers=self._limits.limit_headers(),
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
