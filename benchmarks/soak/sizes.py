"""Large inputs: long tables, wide tables, and several at once, with default settings.

Here: the sizes. Keep out: how such worlds are made (outside/many_rows.py).
"""

from __future__ import annotations

import shutil
from typing import Any

from benchmarks.outside.home import Home
from benchmarks.outside.server import Server
from benchmarks.soak.limits import Limits
from benchmarks.soak.outcome import Tally

_PATIENCE = 600.0  # seconds


def sizes(limits: Limits) -> dict[str, tuple[str, dict[str, Any]]]:
    """Condition -> builder of its world, and options. The number of columns is never scaled."""
    rows = limits.rows
    return {
        "2,000 columns, CSV": ("wide_csv", {"columns": 2_000, "rows": 200}),
        "2,000 columns, JSON": ("wide_json", {"columns": 2_000, "rows": 200}),
        f"26 days x {rows(40_000):,} CSV rows, concurrent 4": (
            "csv_days", {"rows": 26 * rows(40_000), "days": 26, "concurrent": 4}
        ),
        f"{rows(1_000_000):,} octolis records": ("json_records", {"records": rows(1_000_000)}),
        f"{rows(2_000_000):,} CSV rows in one day": ("csv_days", {"rows": rows(2_000_000), "days": 1}),
        f"4 x {rows(900_000):,} CSV rows in one day at once": (
            "csv_days", {"rows": rows(900_000), "days": 1, "tables": 4, "concurrent": 4}
        ),
    }  # fmt: skip


def plan(limits: Limits, tally: Tally) -> None:
    """Plan one try per size and memory limit."""
    for name in sizes(limits):
        for each in _wanted(limits, name):
            tally.plan(name + each.where, 1)


def run(limits: Limits, tally: Tally) -> None:
    """Pull each size once per memory limit, one after the other."""
    for number, (name, (builder, options)) in enumerate(sizes(limits).items()):
        wanted = _wanted(limits, name)
        if limits.left < 0 or not wanted:
            continue
        folder = limits.folder / f"size-{number}"
        with Server(builder, options, folder / "truth") as server:
            for each in wanted:
                if each.left > 0:
                    _try(name + each.where, Home(folder / f"home-{each.memory}", server, limit=each.memory), tally)
        shutil.rmtree(folder)


def _wanted(limits: Limits, name: str) -> list[Limits]:
    return [each for each in limits.in_each_memory() if each.wants(name + each.where)]


def _try(condition: str, home: Home, tally: Tally) -> None:
    ended = home.orgdata(*home.pull_words(), timeout=_PATIENCE)
    tally.note(f"{condition}: {ended.seconds:.0f} s, {ended.cpu:.0f} s of CPU, peak {ended.peak / 1e6:.0f} MB")
    tally.tried(condition, {table.name.split(".")[0] for table in home.server.tables})
    tally.ended(condition, f"pull, peak {ended.peak >> 20} MB", ended, may_fail=False)
    tally.compared(condition, "pull", home.differences(ended_well=ended.status == 0))
