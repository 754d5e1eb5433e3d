"""Vendors without credentials, as the UI shows them: their assets say which variables to set, and their runs too.

Here: `shown_as_off`. Keep out: skipping them in schedules and sensors (orchestration/automation/schedules.py) and on
the command line (cli/catalog.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.project.stand_ins import stand_in

TAG = {"configured": "no"}
_HOW = "in the environment or in .env, then reload the code location"


def shown_as_off(defs: dg.Definitions, resources: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The assets of `defs` and the resources; those of vendors without credentials are marked, and stand-ins."""
    off = {
        key: told
        for key, resource in resources.items()
        if isinstance(resource, VendorResource) and (told := resource.not_configured())
    }
    replaced = {key: stand_in(f"{key} is {told} {_HOW}.") for key, told in off.items()}
    return [_marked(asset, off) for asset in defs.assets or ()], {**resources, **replaced}


def _marked(asset: Any, off: Mapping[str, str]) -> Any:
    """The asset with the reason on its card, and without a condition that would launch runs of it."""
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
