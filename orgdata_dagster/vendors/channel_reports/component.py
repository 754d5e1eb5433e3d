"""What a user writes in `defs/channel_reports/defs.yaml`, checked and documented.

Here: the YAML's fields and their defaults. Keep out: everything that happens with them (assets.py, resource.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar

import dagster as dg
from pydantic import ConfigDict, Field, field_validator, model_validator

from orgdata_dagster.orchestration.automation.schedules import due_schedules
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.limits import AtLeastOne, Limits, Retries
from orgdata_dagster.orchestration.config.tables import Day
from orgdata_dagster.vendors.channel_reports.assets import Report, build_asset, build_fields_asset
from orgdata_dagster.vendors.channel_reports.client import FORMS_PATH
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS
from orgdata_dagster.vendors.channel_reports.reconciling import build_check
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource

Names = TypeVar("Names", bound=Iterable[str])

_BY_FIELD = "reports_per_field_selection"


class ChannelReportsLimits(Limits):
    """How hard the vendor may be asked; null switches a bound off."""

    concurrent: AtLeastOne | None = Field(default=4, description="Requests under way at once, over all processes.")


class ApiModel(dg.Model, dg.Resolvable):
    """What the vendor's document leaves open."""

    model_config = ConfigDict(extra="forbid")

    token_header: str = Field(default="Authorization", description="Header that carries CHANNEL_REPORTS_API_TOKEN.")
    token_prefix: str = Field(default="Bearer", description="Word before the token; empty: the token alone.")
    forms_path: str = Field(default=FORMS_PATH, description="Path of the Forms API behind CHANNEL_REPORTS_BASE_URL.")


class ChannelReports(dg.Component, dg.Model, dg.Resolvable):
    """Reports of channels (JSON aggregates) as partitioned tables."""

    model_config = ConfigDict(extra="forbid")

    start_date: Day = Field(description="First day to have, YYYY-MM-DD (UTC).")
    channels: list[AtLeastOne] = Field(min_length=1, description="The channels' ids.")
    endpoints: list[str] = Field(
        default=list(ENDPOINTS), min_length=1, description="The reports to have; left out: all nine."
    )
    grain: dict[str, Literal["day", "week", "month"]] = Field(
        default={},
        description="Endpoint: what a partition is (left out: day). Distinct counts do not add up over days.",
    )
    field_ids: list[int] = Field(
        default=[], description=f"Fields for {_BY_FIELD}; left out: those that the Forms API tells of."
    )
    repull_days: int = Field(
        default=3, ge=0, description="So many days before today the schedule pulls again: late events change them."
    )
    cron: Cron | None = Field(
        default="25 */6 * * *", description="When to pull what is due (UTC); null: never by itself."
    )
    limits: ChannelReportsLimits = Field(
        default=ChannelReportsLimits(), description="None is documented: a polite default; null switches one off."
    )
    retries: Retries = Field(default=Retries(), description="How stubbornly one request is tried.")
    api: ApiModel = Field(default=ApiModel(), description="What the vendor's document leaves open.")
    contract: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="freeze: a new or changed column fails the partition instead of changing the table.",
    )
    descriptions: dict[str, str] = Field(default={}, description="Endpoint: what is shown of it in the UI.")
    owners: list[str] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    @field_validator("channels", "field_ids", "endpoints")
    @classmethod
    def _each_once(cls, values: list[object]) -> list[object]:
        if twice := [str(value) for value in dict.fromkeys(values) if values.count(value) > 1]:
            raise ValueError(f"{', '.join(twice)} named more than once")
        return values

    @field_validator("endpoints", "grain", "descriptions")
    @classmethod
    def _known_endpoints(cls, names: Names) -> Names:
        if unknown := sorted(set(names) - set(ENDPOINTS)):
            raise ValueError(f"there is no endpoint {', '.join(unknown)}; there are {', '.join(ENDPOINTS)}")
        return names

    @model_validator(mode="after")
    def _about_endpoints(self) -> ChannelReports:
        for attribute, names in (("grain", self.grain), ("descriptions", self.descriptions)):
            if unused := sorted(set(names) - set(self.endpoints)):
                raise ValueError(f"{attribute}: {', '.join(unused)} is not among `endpoints`")
        return self

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their resource and their schedule."""
        vendor = ChannelReportsResource.vendor
        resource = ChannelReportsResource.from_variables(
            **self.limits.model_dump(), **self.retries.fields(), **self.api.model_dump(), probe_channel=self.channels[0]
        )
        assets = [
            build_asset(
                Report(
                    endpoint=ENDPOINTS[name],
                    channels=tuple(self.channels),
                    start_date=self.start_date,
                    grain=self.grain.get(name, "day"),
                    field_ids=tuple(self.field_ids),
                    contract=self.contract,
                    description=self.descriptions.get(name, ""),
                    owners=tuple(self.owners),
                    cron=self.cron,
                )
            )
            for name in self.endpoints
        ]
        if _BY_FIELD in self.endpoints and not self.field_ids:
            assets.append(build_fields_asset(self.channels, contract=self.contract, cron=self.cron))
        checks = [
            build_check(asset, endpoint, tuple(self.channels))
            for asset in assets
            if (endpoint := ENDPOINTS.get(asset.key.path[-1])) and endpoint.additive
        ]
        schedules = due_schedules(vendor, self.cron, assets, repull_days=self.repull_days) if self.cron else []
        return dg.Definitions(assets=assets, asset_checks=checks, resources={vendor: resource}, schedules=schedules)
