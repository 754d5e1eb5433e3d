"""Vendors take turns in the runs that sensors launch, and in the queue of runs.

Here: `in_turns` and `turn_tag`. Keep out: turns of `orgdata pull` (cli/pull.py), pools (instance/pools.py).

The queue is first in, first out among runs of the same priority. With lower priorities for a vendor's later runs, the
second run of one vendor starts after the first of every other one, although it was queued before.
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
    """The tag of a vendor's run that is the `turn`th of its kind, from 0."""
    return {PRIORITY_TAG: str(-turn)} if turn else {}
