"""Vendors without credentials in the UI: their assets, and the failures of their runs, list the variables to set.

Here: `shown_as_unconfigured`. Keep out: skipping them in schedules and sensors (orchestration/automation/schedules.py)
and on the command line (cli/loaded_project.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.project.stand_ins import stand_in

TAG = {"configured": "no"}
_HOW = "in the environment or in .env, then reload the code location"


def shown_as_unconfigured(assets: Sequence[Any], resources: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The assets and resources of a project. Assets of vendors without credentials are marked as not configured, and
    their resources are replaced by stand-ins.
    """
    off = {
        key: reason
        for key, resource in resources.items()
        if isinstance(resource, VendorResource) and (reason := resource.not_configured())
    }
    replaced = {key: stand_in(f"{key} is {reason} {_HOW}.") for key, reason in off.items()}
    return [_marked(asset, off) for asset in assets], {**resources, **replaced}


def _marked(asset: Any, off: Mapping[str, str]) -> Any:
    """The asset with the reason in its description, and without a condition that would launch runs."""
    needed = sorted(off.keys() & set(getattr(asset, "required_resource_keys", ())))
    if not needed or not isinstance(asset, dg.AssetsDefinition):
        return asset
    why = "; ".join(f"{vendor} is {off[vendor]}" for vendor in needed)

    def mark(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.replace_attributes(
            description=f"{why} {_HOW}. Until then its runs fail.\n\n{spec.description or ''}",
            tags={**spec.tags, **TAG},
            automation_condition=None,
        )

    return asset.map_asset_specs(mark)
