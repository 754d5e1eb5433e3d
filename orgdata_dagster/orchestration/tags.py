"""How an asset of ours can be pulled again, told by a tag so that sensors, `plan` and `doctor` need not know vendors.

Here: the tag and its values. Add here: another kind. Keep out: what a pull does (a vendor's assets.py).
"""

from __future__ import annotations

from typing import Any, Literal, cast

import dagster as dg

# Dagster's own; it has no public names for them
PARTITION_NAME_TAG = "dagster/partition"
SCHEDULE_NAME_TAG = "dagster/schedule_name"
GRPC_INFO_TAG = ".dagster/grpc_info"  # on runs of the UI and the daemon: the code server that launched them

PULL_TAG = "orgdata/pull"

PullKind = Literal["days", "today", "whole"]
"""`days`: any partition, at any time; `today`: only the present one, the past is gone; `whole`: there are none."""


def pull_tag(kind: PullKind) -> dict[str, str]:
    """The tag for an asset of this kind."""
    return {PULL_TAG: kind}


def pulled_assets(graph: Any) -> dict[dg.AssetKey, PullKind]:
    """Of an asset graph the assets that land a vendor's table, and how; assets of a user's own are not among them."""
    tagged = {key: graph.get(key).tags.get(PULL_TAG) for key in graph.materializable_asset_keys}
    return {key: cast(PullKind, kind) for key, kind in sorted(tagged.items()) if kind}
