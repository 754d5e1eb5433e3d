"""The project's assets as the command line sees them.

Here: loading the definitions, with readable errors, and resolving a selection. Keep out: running assets (pull.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import dagster as dg
from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.layout import skipped
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.orchestration.tags import pulled_assets
from orgdata_dagster.overview.from_definitions import outline_of, syncs_of
from orgdata_dagster.overview.outline import Outline
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.yaml_errors import problems

_HOW = " in the environment or in .env; see .env.example"


@dataclass(frozen=True)
class LoadedProject:
    """The project's definitions, loaded once."""

    defs: dg.Definitions

    @cached_property
    def job(self) -> dg.JobDefinition:
        """The job that can materialize any asset."""
        return self.defs.resolve_implicit_global_asset_job_def()

    @property
    def resources(self) -> Mapping[str, Any]:
        """All resources by key."""
        return self.defs.resources or {}

    @cached_property
    def keys(self) -> list[dg.AssetKey]:
        """Every asset that can be pulled or computed, sorted."""
        return [key for key in self._materializable if key not in self.writing]

    @cached_property
    def writing(self) -> dict[dg.AssetKey, str]:
        """Asset that writes to a vendor -> its name for `orgdata sync`, sorted. A pull never starts these assets."""
        return syncs_of(self.defs.resolve_asset_graph())

    @property
    def _materializable(self) -> list[dg.AssetKey]:
        graph = self.defs.resolve_asset_graph()
        return sorted(graph.materializable_asset_keys, key=lambda key: tuple(key.path))

    def shares_runs(self, key: dg.AssetKey) -> bool:
        """Whether a pull may run the asset together with others: each of its steps must belong to this asset alone."""
        graph = self.defs.resolve_asset_graph()
        return graph.get_execution_set_asset_and_check_keys(key) == {key, *graph.get(key).check_keys}

    def is_ours(self, key: dg.AssetKey) -> bool:
        """Whether a run of the asset executes no code of the user."""
        graph, resource = self.defs.resolve_asset_graph(), self.resources.get(key.path[0])
        shipped = type(resource).__module__.startswith("orgdata_dagster.") and key in pulled_assets(graph)
        return shipped and self.shares_runs(key)

    def sync(self, name: str) -> dg.AssetKey:
        """The writing asset with this name or asset key. Raises UserError if there is none."""
        for key, own in self.writing.items():
            if name in (own, key.to_user_string()):
                return key
        there = ", ".join(self.writing.values()) or "none; see `type: orgdata_dagster.OctolisSync`"
        raise UserError(f"unknown sync {name!r}; known: {there}")

    def select(self, selection: str) -> list[dg.AssetKey]:
        """The assets that a selection names: a vendor, `vendor/table`, or Dagster's selection syntax.

        Raises UserError if the selection is invalid or empty.
        """
        if own := {key.to_user_string(): own for key, own in self.writing.items()}.get(selection):
            raise UserError(f"{selection} writes to its vendor and cannot be pulled: run `orgdata sync {own}`")
        names = {key.to_user_string(): key for key in self.keys}
        if selection in names:
            return [names[selection]]
        if group := [key for key in self.keys if key.path[0] == selection]:
            return group
        if not selection.replace("_", "").replace("/", "").isalnum():
            try:
                found = dg.AssetSelection.from_string(selection).resolve(self.defs.resolve_asset_graph())
            except (dg.DagsterInvalidSubsetError, ValueError, dg.DagsterError) as error:
                raise UserError(
                    f"{selection!r} is not a valid selection: {excerpt(' '.join(str(error).split()), 200)}"
                ) from None
            if found:
                return sorted(found & set(self.keys), key=lambda key: tuple(key.path))
        raise UserError(f"unknown selection {selection!r}; {self._meant(selection)}")

    def _meant(self, selection: str) -> str:
        """A hint for a selection that matches nothing: similar tables or vendors, otherwise all vendors."""
        vendors = sorted({key.path[0] for key in self.keys})
        names = {key.to_user_string(): key.to_user_string() for key in self.keys} | {name: name for name in vendors}
        bare = {key.path[-1]: key.to_user_string() for key in self.keys}  # so that `user` finds octolis/users
        close = get_close_matches(selection, names, n=2) or [
            bare[name] for name in get_close_matches(selection.rpartition("/")[2], bare, n=2)
        ]
        if close:
            return f"did you mean {' or '.join(close)}?"
        return f"vendors are {', '.join(vendors) or 'not configured'}; `orgdata status` lists their tables"

    def outline(self) -> Outline:
        """The outline that `orgdata status` reads instead of the definitions."""
        return outline_of(self.defs.resolve_asset_graph(), self.resources)

    def check_loadable(self) -> None:
        """Raise UserError if the UI could not load the project. Only this resolves schedules, sensors and jobs."""
        try:
            dg.Definitions.validate_loadable(self.defs)
        except dg.DagsterError as error:
            raise UserError(*problems(error, settings.project_root())) from None

    @property
    def vendors(self) -> set[str]:
        """The vendors that assets are pulled from."""
        return {key.path[0] for key in pulled_assets(self.defs.resolve_asset_graph())}

    def with_days(self, keys: Sequence[dg.AssetKey], first: date, last: date) -> list[dg.AssetKey]:
        """Those of the assets that have partitions from `first` to `last`, or none at all.

        A table that starts in between is pulled from its start on. Of a vendor that has only its current state, every
        table is returned, see `without_past`. Raises UserError if all others start later than `first`.
        """
        starts = {key: start for key in keys if key not in self._of_today and (start := self._start(key))}
        if starts and first < min(starts.values()):
            key = min(starts, key=lambda key: starts[key])
            raise UserError(
                f"--from {first}: {key.to_user_string()} starts on {starts[key]} "
                f"(start_date in defs/{key.path[0]}/defs.yaml)"
            )
        return [key for key in keys if key not in starts or starts[key] <= last]

    @property
    def _of_today(self) -> set[dg.AssetKey]:
        """The assets of which only today can be pulled."""
        kinds = pulled_assets(self.defs.resolve_asset_graph())
        return {key for key, kind in kinds.items() if kind == "today"}

    def without_past(self, keys: Sequence[dg.AssetKey], first: date, last: date) -> tuple[list[dg.AssetKey], list[str]]:
        """Those of the assets of which a day from `first` to `last` can be pulled, and a line per vendor on lost days.

        Raises UserError with these lines if nothing can be pulled.
        """
        today = datetime.now(UTC).date()
        late = sorted({key.path[0] for key in keys if key in self._of_today}) if first < today else []
        over = min(last, today - timedelta(days=1))
        span = str(first) if first == over else f"{first} to {over}"
        lost = [f"{vendor}: {span} cannot be pulled, because the vendor has only its current state" for vendor in late]
        possible = [key for key in keys if last >= today or key not in self._of_today]
        if keys and not possible:
            raise UserError(*(f"{line}; today can: orgdata pull {line.partition(':')[0]}" for line in lost))
        return possible, lost

    def _start(self, key: dg.AssetKey) -> date | None:
        partitions = self.defs.resolve_asset_graph().get(key).partitions_def
        return partitions.start.date() if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else None

    @cached_property
    def unconfigured(self) -> dict[str, str]:
        """Vendor without credentials -> the variables to set, in words."""
        vendors = [each for each in self.resources.values() if isinstance(each, VendorResource)]
        return {each.vendor: unset for each in vendors if (unset := each.not_configured())}

    def print_unconfigured(self, console: Console) -> None:
        """Print the vendors without credentials, one line per vendor."""
        for vendor, unset in self.unconfigured.items():
            skipped(console, vendor, unset)

    def configured(self) -> list[dg.AssetKey]:
        """The assets that neither need an unconfigured vendor nor depend on its tables.

        Raises UserError if there are assets, but none of their vendors is configured.
        """
        graph = self.defs.resolve_asset_graph()
        without = {key for key in graph.get_all_asset_keys() if self._vendors_of(key) & self.unconfigured.keys()}
        found = [key for key in self.keys if not {key, *graph.get_ancestor_asset_keys(key)} & without]
        if self.keys and not found:
            raise UserError(*(f"{vendor} is {unset}{_HOW}" for vendor, unset in self.unconfigured.items()))
        return found

    def check_configured(self, keys: Sequence[dg.AssetKey]) -> None:
        """Raise UserError if a vendor that a run of these assets needs is not configured."""
        if needed := sorted({vendor for key in keys for vendor in self._vendors_of(key)} & self.unconfigured.keys()):
            raise UserError(*(f"{vendor} is {self.unconfigured[vendor]}{_HOW}" for vendor in needed))

    def _vendors_of(self, key: dg.AssetKey) -> set[str]:
        """The vendors whose resources a run of the asset needs."""
        graph = self.defs.resolve_asset_graph()
        if key not in graph.materializable_asset_keys:
            return set()
        return set(graph.get(key).assets_def.required_resource_keys)


def load(*, without_broken: bool = False) -> LoadedProject:
    """Load the project's definitions. Raises UserError with every problem in the YAML files.

    without_broken: log broken parts and load the others instead (isolation.py).
    """
    for category in (dg.BetaWarning, dg.PreviewWarning):
        warnings.simplefilter("ignore", category)  # users need not know which parts of Dagster are in beta
    try:
        return LoadedProject(build_defs(for_ui=without_broken))
    except settings.SettingsError:
        raise
    except Exception as error:  # noqa: BLE001 - every error becomes lines, never a traceback
        raise UserError(*problems(error, settings.project_root())) from None
