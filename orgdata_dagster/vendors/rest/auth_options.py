"""The YAML of `auth:`: how requests are authenticated, with the NAMES of the variables that hold the credentials.

Here: one model per method, in dlt's terms. Add here when: there is another method of authentication.
Keep out: tokens (http/rest/auth.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import dagster as dg
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from orgdata_dagster.vendors.rest.unions import by_type


def _named(text: str) -> str:
    if not text.replace("_", "").isalnum() or not text.isupper():
        # a separate error type, so that no message quotes the text, which may be the secret
        raise PydanticCustomError(
            "secret", "write the NAME of an environment variable, such as TRACKER_TOKEN, never the value itself"
        )
    return text


Variable = Annotated[str, AfterValidator(_named)]


class _Model(dg.Model, dg.Resolvable):
    model_config = ConfigDict(extra="forbid", frozen=True)

    named: ClassVar[Mapping[str, str]] = {}  # field of the resource -> option with the name of its variable

    def variables(self) -> dict[str, str]:
        """Field of the resource -> variable."""
        return {field: getattr(self, option) for field, option in self.named.items()}


class NoAuth(_Model):
    """No credentials."""

    type: Literal["none"]


class Bearer(_Model):
    """A token in the header `Authorization: Bearer`."""

    named: ClassVar[Mapping[str, str]] = {"secret": "token"}

    type: Literal["bearer"]
    token: Variable = Field(description="Name of the variable with the token.")


class ApiKey(_Model):
    """A key in a header or in the query."""

    named: ClassVar[Mapping[str, str]] = {"secret": "api_key"}

    type: Literal["api_key"]
    api_key: Variable = Field(description="Name of the variable with the key.")
    name: str = Field(default="Authorization", description="Name of the header or of the parameter.")
    location: Literal["header", "query"] = Field(default="header", description="Where the key is sent.")
    prefix: str = Field(default="", description="Text before the key in the header, such as `Token `.")


class HttpBasic(_Model):
    """A user name and a password in the header `Authorization: Basic`."""

    named: ClassVar[Mapping[str, str]] = {"identity": "username", "secret": "password"}

    type: Literal["http_basic"]
    username: Variable = Field(description="Name of the variable with the user name.")
    password: Variable = Field(description="Name of the variable with the password.")


class OAuth2ClientCredentials(_Model):
    """OAuth 2 client credentials. The token is fetched within the limits and renewed before it expires."""

    named: ClassVar[Mapping[str, str]] = {"identity": "client_id", "secret": "client_secret"}

    type: Literal["oauth2_client_credentials"]
    access_token_url: str = Field(pattern=r"^https?://[^?#\s]+$", description="Address from which tokens are fetched.")
    client_id: Variable = Field(description="Name of the variable with the client's id.")
    client_secret: Variable = Field(description="Name of the variable with the client's secret.")
    access_token_request_data: dict[str, str] = Field(
        default={}, description="More fields of the request for a token, such as `scope`."
    )
    credentials_in: Literal["body", "header"] = Field(
        default="body", description="Whether the client's id and secret are sent as fields or as a Basic header."
    )


_Options = NoAuth | Bearer | ApiKey | HttpBasic | OAuth2ClientCredentials
_ByType = TypeAliasType("_ByType", Annotated[_Options, Field(discriminator="type")])
AuthOptions = Annotated[_ByType, by_type(_ByType)]


def auth_of(written: dict[str, Any]) -> _Options:
    """The model of the plain values that a resource holds."""
    return TypeAdapter[_Options](_ByType).validate_python(written)
