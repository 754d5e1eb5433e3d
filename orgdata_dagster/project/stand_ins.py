"""Stand-ins for resources that the project's assets, checks, jobs, schedules or sensors use and nothing provides.

What lives here: finding such resources, and the stand-in, which fails whoever uses it, with the reason.
Add here when: something else that is missing would keep the whole code location from loading.
Keep out: why a vendor could not be loaded (isolation.py).

Dagster refuses to load a project as soon as one asset asks for a resource that is not there: one vendor's broken YAML
would take everything down with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import dagster as dg

import orgdata_dagster
from orgdata_dagster.orchestration.assets.failures import MAX_RETRIES_TAG

_BUILT_IN = "io_manager"  # Dagster provides it


def stand_ins(
    defs: dg.Definitions, broken: Mapping[str, Sequence[str]], *, all_missing: bool
) -> dict[str, dg.ResourceDefinition]:
    """A stand-in for every vendor's resource that is used and not provided; with `all_missing` for any resource.

    `broken`: what could not be loaded, the reasons by folder or file.
    """
    vendors = orgdata_dagster.component_types()
    missing = _used(defs) - set(defs.resources or {}) - {_BUILT_IN}
    made = {}
    for key in sorted(missing if all_missing else missing & set(vendors)):
        reason = _reason(key, broken, vendors.get(key))
        logging.getLogger("dagster").error("the runs that use the resource %s will fail: %s", key, reason)
        made[key] = stand_in(reason)
    return made


def stand_in(reason: str) -> dg.ResourceDefinition:
    """A resource that can be made, so that all else goes on, and not used."""

    def make(context: dg.InitResourceContext) -> _Unavailable:
        def fail() -> NoReturn:
            if context.instance and context.run:
                context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})  # until somebody mends it
            raise dg.Failure(reason, allow_retries=False)

        return _Unavailable(fail)

    return dg.ResourceDefinition(make, description=reason)


class _Unavailable:
    def __init__(self, fail: Callable[[], NoReturn]) -> None:
        self._fail = fail

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself, or Dagster, looks what kind of object this is
        self._fail()


def _used(defs: dg.Definitions) -> set[str]:
    users: list[object] = [*(defs.assets or ()), *(defs.asset_checks or ()), *(defs.jobs or ())]
    users += [*(defs.schedules or ()), *(defs.sensors or ()), *(defs.resources or {}).values()]
    return {key for user in users for key in getattr(user, "required_resource_keys", ())}


def _reason(key: str, broken: Mapping[str, Sequence[str]], component: str | None) -> str:
    blamed = {key: broken[key]} if key in broken else broken
    if blamed:
        lines = "; ".join(f"{name} could not be loaded: {'; '.join(lines)}" for name, lines in blamed.items())
        return f"There is no resource {key!r}. {lines}. Correct that, then reload the code location."
    if component:
        return (
            f"There is no resource {key!r}: the project has no defs.yaml with `type: {component}`. "
            f"Add defs/{key}/defs.yaml, then reload the code location."
        )
    return f"There is no resource {key!r}: nothing in the project provides it. Add it to a file below defs/."
