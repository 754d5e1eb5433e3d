"""Sizes: long, wide and many at once, with default settings.

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
    """Condition -> world. Columns are never scaled: it is their number that counts."""
    rows = limits.rows
    return {
        f"26 days x {rows(40_000):,} CSV rows, concurrent 4": (
            "csv_days", {"rows": 26 * rows(40_000), "days": 26, "concurrent": 4}
        ),
        f"{rows(2_000_000):,} CSV rows in one day": ("csv_days", {"rows": rows(2_000_000), "days": 1}),
        f"4 x {rows(900_000):,} CSV rows in one day at once": (
            "csv_days", {"rows": rows(900_000), "days": 1, "tables": 4, "concurrent": 4}
        ),
        "2,000 columns, CSV": ("wide_csv", {"columns": 2_000, "rows": 200}),
        "2,000 columns, JSON": ("wide_json", {"columns": 2_000, "rows": 200}),
        f"{rows(1_000_000):,} octolis records": ("json_records", {"records": rows(1_000_000)}),
    }  # fmt: skip


def plan(limits: Limits, tally: Tally) -> None:
    """One try each."""
    for name in sizes(limits):
        if limits.wants(name + limits.where):
            tally.plan(name + limits.where, 1)


def run(limits: Limits, tally: Tally) -> None:
    """One pull each, one after the other."""
    for number, (name, (builder, options)) in enumerate(sizes(limits).items()):
        condition = name + limits.where
        if limits.left < 0 or not limits.wants(condition):
            continue
        folder = limits.folder / f"size-{number}-{limits.memory}"
        with Server(builder, options, folder / "truth") as server:
            home = Home(folder / "home", server, limit=limits.memory)
            ended = home.orgdata(*home.pull_words(), timeout=_PATIENCE)
            tally.note(f"{condition}: {ended.seconds:.0f} s, {ended.cpu:.0f} s of CPU, peak {ended.peak / 1e6:.0f} MB")
            tally.tried(condition, {table.name.split(".")[0] for table in server.tables})
            tally.ended(condition, f"pull, peak {ended.peak >> 20} MB", ended, may_fail=False)
            tally.compared(condition, "pull", home.differences(ended_well=ended.status == 0))
        shutil.rmtree(folder)
