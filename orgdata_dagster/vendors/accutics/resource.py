"""The Dagster resource of accutics.

Here: its variables and limits, its client, and the warning about a token that expires.
Keep out: requests (entity.py, vendors/rest/client.py), assets.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.records import Observer
from orgdata_dagster.http.rest import jwt
from orgdata_dagster.http.rest.auth import Fixed, bearer
from orgdata_dagster.orchestration.resources import UndocumentedLimitsResource
from orgdata_dagster.vendors.accutics.entity import ERRORS, searched
from orgdata_dagster.vendors.accutics.search import Condition
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_frame import list_frame
from orgdata_dagster.vendors.rest.list_request import Listing

if TYPE_CHECKING:
    import pandas as pd

RENEW = "ask accutics support for a new one"


class AccuticsResource(UndocumentedLimitsResource):
    """Reads lists of accutics within the rate limit that all processes share."""

    kind: ClassVar[str] = "accutics"
    variables: ClassVar[dict[str, str]] = {"base_url": "BASE_URL", "api_token": "API_TOKEN"}
    secret_fields: ClassVar[tuple[str, ...]] = ("api_token",)

    api_token: str
    probe_path: str = ""

    def notices(self) -> list[str]:
        """A warning if the token in the environment has expired or expires within a week."""
        variable = self.environment["api_token"]
        notice = jwt.notice(os.environ.get(variable, ""), datetime.now(UTC), renew=RENEW)
        return [f"{variable}: {notice}"] if notice else []

    def probe_request(self) -> tuple[str, dict[str, str]]:
        """The request for one row of the first entity in defs.yaml."""
        return self.probe_path, {"page_size": "1"}

    def http(self, observer: Observer | None = None) -> HttpClient:
        """The HTTP client with the token."""
        return self.http_client(headers=bearer(self.api_token), observer=observer, error_reader=ERRORS.read)

    def client(self, observer: Observer | None = None) -> RestClient:
        """A client that keeps the shared rate limit. `observer` is called for every request."""
        return RestClient(self.http(observer), Fixed(), ERRORS, partial(jwt.refused, self.api_token, RENEW))

    def rows(self, listing: Listing, *conditions: Condition) -> pd.DataFrame:
        """The rows of an entity's list (see entity.py) that meet all conditions, every column as text.

        For your own assets, scripts and notebooks. Nothing is stored.
        """
        return list_frame(self.client(), searched(listing, *conditions))
