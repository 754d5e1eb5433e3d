"""Concurrent load: four pulls of large days, three heavy readers and `status`, all at once on one warehouse.

Here: this condition. Keep out: what a reader does (reader.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.outside.home import Home
from benchmarks.outside.server import Server
from benchmarks.soak.limits import Limits
from benchmarks.soak.outcome import Tally

READERS = 3
PULLS = 4
_ROWS = 600_000
_READER = str(Path(__file__).with_name("reader.py"))
_PATIENCE = 400.0  # seconds for a pull, and for a reader to end when it is told to


_TRIES = PULLS + READERS + 1


def plan(limits: Limits, tally: Tally) -> None:
    """Plan the condition, once per memory limit."""
    for each in limits.in_each_memory():
        tally.plan(_condition(each), _TRIES)


def run(limits: Limits, tally: Tally) -> None:
    """Try the condition without a memory limit and in a small memory."""
    world = {"rows": limits.rows(_ROWS), "days": 1, "tables": PULLS}
    with Server("csv_days", world, limits.folder / "concurrent-truth") as server:
        for each in limits.in_each_memory():
            if each.left > 0:
                _try(each, tally, server)


def _condition(limits: Limits) -> str:
    return f"concurrent{limits.where}"


def _try(limits: Limits, tally: Tally, server: Server) -> None:
    """Start pulls and readers, run `status` until the pulls have ended, then compare."""
    condition, folder = _condition(limits), limits.folder / f"concurrent-{limits.memory}"
    enough = folder / "enough"
    home = Home(folder / "home", server, limit=limits.memory)
    names = [table.name for table in server.tables]
    pulls = [home.start(*home.pull_words(name.replace(".", "/"))) for name in names]
    readers = [home.start(_READER, name, str(enough), words=[sys.executable]) for name in names[:READERS]]
    while any(pull.running for pull in pulls):
        looked = home.orgdata("status", timeout=_PATIENCE)
        tally.ended(condition, "status", looked, may_fail=False)
        if looked.stuck:
            break
    for name, pull in zip(names, pulls, strict=True):
        ended = pull.wait(_PATIENCE)
        tally.note(f"{condition}: pull of {name}: {ended.seconds:.0f} s, peak {ended.peak / 1e6:.0f} MB")
        tally.ended(condition, f"pull of {name}", ended, may_fail=False)
    enough.touch()
    for reader in readers:
        tally.ended(condition, "reader", reader.wait(_PATIENCE), may_fail=False)
    tally.tried(condition, {"institution_analytics"}, _TRIES)
    tally.compared(condition, "afterwards", home.differences(ended_well=True))
