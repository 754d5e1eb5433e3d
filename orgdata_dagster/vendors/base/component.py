"""The base of every vendor's component: shared YAML options, and the definitions made from them.

Here: `VendorComponent`. Add here when: every vendor gets another option.
Keep out: a vendor's own options and streams (its component.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.orchestration.automation.change_sensor import changes_sensor
from orgdata_dagster.orchestration.automation.schedules import asset_schedule, due_schedules, today_schedule
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.orchestration.config.table_options import Claim, Name, Owner, Table
from orgdata_dagster.orchestration.config.verbatim import Verbatim
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.vendors.base.asset import build_asset
from orgdata_dagster.vendors.base.stream import Stream

T = TypeVar("T")


class VendorComponent(Verbatim, dg.Component, dg.Model, dg.Resolvable):
    """The tables of one vendor. A subclass adds the vendor's options, `resource` and `stream`."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = Field(
        default=None,
        description="Name of this account, if the vendor has several, such as octolis_fr. Schema, group, pool, rate "
        "limit and variables (OCTOLIS_FR_...) are named after it. Default: the vendor's name.",
    )
    tables: Sequence[Table] = Field(min_length=1, description="The tables to pull.")
    cron: Cron | None = Field(default=None, description="Cron of the schedule (UTC); null: no schedule.")
    owners: list[Owner] = Field(
        default=[], description="Owners of tables without their own: e-mail addresses, or teams as `team:name`."
    )

    kind: ClassVar[str]  # the vendor's name
    extra_tables: ClassVar[tuple[str, ...]] = ()  # suffixes of additional tables that the vendor creates per table

    @property
    def account(self) -> str:
        """The account's name: of schema, group, pool and resource."""
        return self.name or self.kind

    def resource(self) -> VendorResource:
        """The vendor's resource, with the limits and retries of the YAML file."""
        raise NotImplementedError(f"{self._class} must define `resource`")

    def streams(self) -> Sequence[Stream]:
        """One stream per table."""
        return [self.stream(table) for table in self.tables]

    def stream(self, table: Any) -> Stream:
        """The stream of one table."""
        raise NotImplementedError(f"{self._class} must define `stream`")

    def claims(self) -> Iterator[Claim]:
        """The names of all tables and views that the component creates."""
        entries = {id(table): at for at, table in enumerate(self.tables)}
        for stream in self.streams():
            table, target = stream.target.table, stream.target
            at = entries.get(id(stream.table))
            location = ("tables",) if at is None else ("tables", at)
            yield Claim(table, "table", location)
            views = ["current", "history"] if target.snapshots else ["current"] if target.key else []
            for ending in [*views, *self.extra_tables]:
                yield Claim(table.view(ending), f"the view or table of {table.name!r},", location)

    def again_days(self) -> int:
        """The number of days before today that the schedule pulls again, although they are complete."""
        return 0

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets, their checks, their schedules, the change sensor and the resource."""
        resource = self._checked("resource", self.resource(), VendorResource)
        streams = [self._checked("stream", each, Stream) for each in self.streams()]
        folder = Path(inspect.getfile(type(self))).parent
        assets = {stream.key: build_asset(stream, folder, self.cron, self.owners) for stream in streams}
        probes = {stream.key: stream.probe for stream in streams if stream.probe}
        return dg.Definitions(
            assets=list(assets.values()),
            asset_checks=[each.reconciliation.check(each.key) for each in streams if each.reconciliation],
            schedules=self._schedules(resource, streams, assets),
            sensors=[changes_sensor(resource, probes, assets)] if probes else [],
            resources={resource.vendor: resource},
        )

    @property
    def _class(self) -> str:
        """The class by the name that `type:` has in YAML; it may be the user's own."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def _checked(self, method: str, made: T, kind: type[T]) -> T:
        """What a method returned. Raises TypeError if it is of another type."""
        if not isinstance(made, kind):
            raise TypeError(f"`{method}` of {self._class} must return a {kind.__name__}, not {type(made).__name__}")
        return made

    def _schedules(
        self, resource: VendorResource, streams: Sequence[Stream], assets: dict[dg.AssetKey, dg.AssetsDefinition]
    ) -> list[dg.ScheduleDefinition]:
        """One schedule per table that has no partitions or its own cron; the other tables share a schedule."""
        made: list[dg.ScheduleDefinition] = []
        vendor = resource.vendor
        shared: dict[str, list[dg.AssetsDefinition]] = {"days": [], "today": []}
        for stream in streams:
            asset, own = assets[stream.key], stream.table.cron
            if stream.pulls == "whole":
                made += [asset_schedule(asset, resource, cron)] if (cron := own or self.cron) else []
            elif own is None:
                shared[stream.pulls].append(asset)
            elif stream.pulls == "today":
                made.append(today_schedule(f"{vendor}_{stream.table.name}", resource, own, [asset]))
            else:
                made += due_schedules(
                    f"{vendor}_{stream.table.name}", resource, own, [asset], again_days=self.again_days()
                )
        if self.cron and shared["days"]:
            made += due_schedules(vendor, resource, self.cron, shared["days"], again_days=self.again_days())
        if self.cron and shared["today"]:
            made.append(today_schedule(vendor, resource, self.cron, shared["today"]))
        return made
