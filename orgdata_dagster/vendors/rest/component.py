"""The YAML of `type: orgdata_dagster.RestApi`, and the streams made from it.

Here: the vendor's options.
Keep out: the parts of `attributes:` (table_options.py, limit_options.py and the like), the streams (streams.py), the
pull (pulling.py).
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.config.table_options import Name, StartDate
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Stream
from orgdata_dagster.vendors.rest.auth_options import AuthOptions
from orgdata_dagster.vendors.rest.error_options import RestErrors
from orgdata_dagster.vendors.rest.limit_options import RestLimits
from orgdata_dagster.vendors.rest.resource import RestApiResource
from orgdata_dagster.vendors.rest.streams import stream_of
from orgdata_dagster.vendors.rest.table_options import RestTable, Scalar, as_text


class RestApi(VendorComponent):
    """Lists of any REST API as tables that are kept up to date."""

    kind: ClassVar[str] = RestApiResource.kind

    vendor: Name = Field(
        description="Name of the vendor. Schema, group, pool and variables (TRACKER_BASE_URL) are named after it."
    )
    base_url: str = Field(
        default="",
        pattern=r"^(https?://[^?#\s]+)?$",
        description="Address before every path. The variable <VENDOR>_BASE_URL takes precedence.",
    )
    auth: AuthOptions = Field(description="How requests are authenticated, with the names of variables.")
    headers: dict[str, str] = Field(default={}, description="Headers of every request. Credentials belong in `auth`.")
    params: dict[str, Scalar] = Field(
        default={}, description="Query parameters of every request. Credentials belong in `auth`."
    )
    start_date: StartDate = Field(
        default="2026-01-01", description="First day of tables with `partitions: day`, YYYY-MM-DD."
    )
    tables: list[RestTable] = Field(min_length=1, description="The tables to pull, one per list.")
    cron: Cron | None = Field(default="25 */4 * * *", description="Cron of the schedule (UTC); null: no schedule.")
    limits: RestLimits = Field(default=RestLimits(), description="Rate limit of the vendor.")
    errors: RestErrors = Field(default=RestErrors(), description="The vendor's error format.")
    retries: Retries = Field(default=Retries(), description="Retries of a request.")

    @model_validator(mode="after")
    def _parents_exist(self) -> RestApi:
        parent = {table.name: _sources(table) for table in self.tables}
        for name, sources in parent.items():
            if len(sources) > 1:
                raise ValueError(f"tables: {name}: `each` names several tables: {', '.join(sorted(sources))}")
            if unknown := sources - {*parent}:
                raise ValueError(
                    f"tables: {name}: `each` names {unknown.pop()!r}, which is not a table of this file; there are "
                    f"{', '.join(parent)}"
                )
        for name in parent:
            above, passed = parent[name], {name}
            while above and not above & passed:
                passed |= above
                above = parent[next(iter(above))]
            if above:
                raise ValueError(f"tables: {name}: `each` leads in a circle: {', '.join(sorted(passed))}")
        return self

    @property
    def account(self) -> str:
        """The name of schema, group, pool and resource."""
        return self.name or self.vendor

    def resource(self) -> RestApiResource:
        """The resource with the limits, retries and variable names of the YAML."""
        plain = [table.path for table in self.tables if table.method == "GET" and not table.placeholders]
        return RestApiResource.from_variables(
            account=self.account,
            auth=self.auth.model_dump(),
            default_base_url=self.base_url,
            headers=dict(self.headers),
            params={name: as_text(value) for name, value in self.params.items()},
            probe_path=plain[0] if plain else "",
            limits=self.limits.model_dump_json(),
            errors=self.errors.model_dump_json(),
            retries=self.retries,
        )

    def stream(self, table: RestTable) -> Stream:
        """The stream of a list."""
        return stream_of(self.account, table.source(self.errors.no_data_statuses), self.start_date)


def _sources(table: RestTable) -> set[str]:
    """The tables that `each` names."""
    return {source.split(".")[0] for source in table.each.values()}
