"""Vendors take turns in the runs that sensors launch, and in the queue of runs.

Here: `in_turns` and `turn_tag`. Keep out: turns of `orgdata pull` (cli/pull.py), pools (instance/pools.py).

The queue starts runs of the same priority in the order in which they were queued. The later runs of a vendor get lower
priorities, so that its second run starts after the first run of every other vendor.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from orgdata_dagster.orchestration.tags import PRIORITY_TAG


def in_turns(keys: Iterable[dg.AssetKey]) -> list[dg.AssetKey]:
    """The first asset of every vendor, then the second of every vendor, and so on."""
    vendors: dict[str, list[dg.AssetKey]] = {}
    for key in keys:
        vendors.setdefault(key.path[0], []).append(key)
    most = max(map(len, vendors.values()), default=0)
    return [mine[turn] for turn in range(most) for mine in vendors.values() if turn < len(mine)]


def turn_tag(turn: int) -> dict[str, str]:
    """The priority tag of a run. `turn`: the number of earlier runs of its vendor."""
    return {PRIORITY_TAG: str(-turn)} if turn else {}
