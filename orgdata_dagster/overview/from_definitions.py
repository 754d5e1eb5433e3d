"""The outline of a project, from its definitions.

Here: `outline_of`. Keep out: the outline itself, which needs no Dagster (outline.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.orchestration.tags import WRITES_TAG, op_tags
from orgdata_dagster.overview.outline import Outline, Partitions, VendorOutline, grain_of


def outline_of(graph: Any, resources: Mapping[str, object]) -> Outline:
    """The outline. `graph`: Dagster's asset graph, which has no public class."""
    syncs = syncs_of(graph)
    keys = sorted(graph.materializable_asset_keys - syncs.keys(), key=lambda key: tuple(key.path))
    vendors = [each for each in resources.values() if isinstance(each, VendorResource)]
    return Outline(
        {".".join(key.path): _partitions(graph.get(key).partitions_def) for key in keys},
        tuple(VendorOutline(each.vendor, each.rule(), each.longest_pause(), each.not_configured()) for each in vendors),
        tuple(sorted({variable for each in vendors for variable in each.environment.values()})),
        {key.to_user_string(): name for key, name in syncs.items()},
        tuple(sorted((key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys)),
    )


def syncs_of(graph: Any) -> dict[dg.AssetKey, str]:
    """Asset that writes to a vendor -> its name for `orgdata sync`, sorted."""
    tags = {key: op_tags(graph, key) for key in graph.materializable_asset_keys}
    names = {key: tag[WRITES_TAG] for key, tag in tags.items() if WRITES_TAG in tag}
    return dict(sorted(names.items(), key=lambda item: tuple(item[0].path)))


def _partitions(definition: dg.PartitionsDefinition | None) -> Partitions | None:
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return None
    start = definition.start.date()
    return Partitions(start, grain_of(definition.cron_schedule, start))
