"""Stand-ins for resources that the project uses but nothing provides.

Here: finding such resources, and the stand-in, which fails every run that uses it, with the reason.
Add here when: another missing object would prevent the whole code location from loading.
Keep out: why a vendor could not be loaded (isolation.py).

Dagster does not load a project if an asset requires a resource that is not defined. Without stand-ins, the broken YAML
of one vendor would prevent the whole code location from loading.
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
    """Resource key -> stand-in, for every vendor's resource that is used but not provided.

    broken: folder or file that could not be loaded -> the reasons.
    all_missing: whether to include resources that do not belong to a vendor.
    """
    vendors = orgdata_dagster.component_types()
    missing = _used(defs) - set(defs.resources or {}) - {_BUILT_IN}
    made = {}
    for key in sorted(missing if all_missing else missing & set(vendors)):
        reason = _reason(key, broken, vendors.get(key))
        logging.getLogger("dagster").error("runs that use the resource %s will fail: %s", key, reason)
        made[key] = stand_in(reason)
    return made


def stand_in(reason: str) -> dg.ResourceDefinition:
    """A resource that loads, but fails every run that uses it with this reason."""

    def make(context: dg.InitResourceContext) -> _Unavailable:
        def fail() -> NoReturn:
            if context.instance and context.run:
                context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})  # a retry cannot help
            raise dg.Failure(reason, allow_retries=False)

        return _Unavailable(fail)

    return dg.ResourceDefinition(make, description=reason)


class _Unavailable:
    def __init__(self, fail: Callable[[], NoReturn]) -> None:
        self._fail = fail

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # Python or Dagster inspects the object
        self._fail()


def _used(defs: dg.Definitions) -> set[str]:
    users: list[object] = [*(defs.assets or ()), *(defs.asset_checks or ()), *(defs.jobs or ())]
    users += [*(defs.schedules or ()), *(defs.sensors or ()), *(defs.resources or {}).values()]
    return {key for user in users for key in getattr(user, "required_resource_keys", ())}


def _reason(key: str, broken: Mapping[str, Sequence[str]], component: str | None) -> str:
    blamed = {key: broken[key]} if key in broken else broken
    if blamed:
        lines = "; ".join(f"{name} could not be loaded: {'; '.join(lines)}" for name, lines in blamed.items())
        return f"The resource {key!r} is missing. {lines}. Correct that, then reload the code location."
    if component:
        return (
            f"The resource {key!r} is missing: the project has no defs.yaml with `type: {component}`. "
            f"Add defs/{key}/defs.yaml, then reload the code location."
        )
    return f"The resource {key!r} is missing: nothing in the project provides it. Add it to a file below defs/."
