"""`orgdata doctor`: what keeps orgdata from asking a vendor, and taking stop signs down.

Here: stop signs, credentials that expire and the state of the rate budgets, without a single request.
Add here: another thing that may be wrong.
Keep out: what landed (tables.py); what a stop sign is (http/latch.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli.catalog import Catalog
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http.latch import Latch, Notice, fingerprint
from orgdata_dagster.orchestration.resources import VendorResource


@dataclass(frozen=True)
class VendorState:
    """A vendor as `doctor` shows it. `windows`: of each the points spent, the points it has, its seconds; `notices`:
    what is to be said of its credentials."""

    vendor: str
    stopped: Notice | None
    paused_for: float
    windows: list[tuple[float, float, float]]
    in_flight: int | None
    notices: list[str]


def examine(catalog: Catalog) -> list[VendorState]:
    """Every vendor's state."""
    return [_state(resource) for resource in _vendors(catalog)]


def clear(catalog: Catalog, vendor: str) -> str:
    """Take a vendor's stop sign down; returns what that means, in a sentence. Raises UserError for no vendor."""
    resource = next((resource for resource in _vendors(catalog) if resource.vendor == vendor), None)
    if resource is None:
        names = ", ".join(resource.vendor for resource in _vendors(catalog))
        raise UserError(f"there is no vendor {vendor!r}; there are: {names}")
    notice = Latch(vendor, settings.latches()).clear()
    if notice is None:
        return f"{vendor}: there was no stop sign"
    same = "the same" if notice.fingerprint == _fingerprint(resource) else "not the same"
    return f"{vendor} may be asked again: {notice}. The credentials in the environment are {same} ones."


def show(console: Console, states: list[VendorState]) -> None:
    """Print what `examine` found."""
    for state in states:
        facts = [f"{spent:g} of {points:g} points spent in {seconds:g} s" for spent, points, seconds in state.windows]
        if state.in_flight is not None:
            facts.append(f"{state.in_flight} at a time")
        if state.paused_for:
            facts.append(f"pausing for {state.paused_for:.0f} s, as the vendor asked")
        console.print(f"{state.vendor}: {', '.join(facts) or 'no limit'}", highlight=False, soft_wrap=True)
        if state.stopped:
            remedy = Latch(state.vendor, settings.latches()).remedy
            line = f"  STOPPED: {state.stopped}. {remedy}"
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        for notice in state.notices:
            console.print(f"  {notice}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _vendors(catalog: Catalog) -> list[VendorResource]:
    found = [resource for resource in catalog.resources.values() if isinstance(resource, VendorResource)]
    return sorted(found, key=lambda resource: resource.vendor)


def _fingerprint(resource: VendorResource) -> str:
    """Of the credentials in the environment; the resource itself has only the variables' names outside of a run."""
    return fingerprint(os.environ.get(resource.environment[name], "") for name in resource.secret_fields)


def _state(resource: VendorResource) -> VendorState:
    budget = resource.budget()
    return VendorState(
        resource.vendor,
        Latch(resource.vendor, settings.latches()).read(),
        budget.paused_for(),
        [(round(used.spent, 1), used.points, used.window.seconds) for used in budget.usage()],
        resource.rule().in_flight,
        resource.notices(),
    )
