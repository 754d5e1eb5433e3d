"""Try all conditions and print the table; see `--help`.

The exit status is 1 if one of the last five columns is not zero, or if there was no time for all conditions: those are
shown as "not run".

Here: the sections and their shares of the time. Keep out: what a section does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.outside import group as groups
from benchmarks.outside import stopping
from benchmarks.soak import faults, kills, load, sizes
from benchmarks.soak.limits import GIGABYTE, Limits
from benchmarks.soak.outcome import Tally

Section = Callable[[Limits, Tally], None]

# section -> its plan, its run, its share of the time; faults come last, because they use all remaining time
SECTIONS: dict[str, tuple[Section, Section, float]] = {
    "concurrent": (load.plan, load.run, 0.12),
    "sizes": (sizes.plan, sizes.run, 0.3),
    "kills": (kills.plan, kills.run, 0.23),
    "faults": (faults.plan, faults.run, 0.35),
}
_LAST = 20.0  # seconds that the last trial may take


def main() -> int:
    """Try the chosen sections; returns the exit status."""
    options = _options()
    chosen = options.only.split(",") if options.only else list(SECTIONS)
    groups.adopt()
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orgdata-soak-") as folder, stopping.guarded():
        until = began + options.minutes * 60 - _LAST
        memories = _memories(tally)
        limits = Limits(Path(folder), until, options.scale, options.kills, match=options.match, memories=memories)
        for name in chosen:
            SECTIONS[name][0](limits, tally)
        for number, name in enumerate(chosen):
            share = SECTIONS[name][2] / sum(SECTIONS[each][2] for each in chosen[number:])
            _section(name, limits.within(limits.left * share), tally)
    print(tally.text())
    _tell(tally, time.monotonic() - began)
    return 0 if tally.good and tally.whole else 1


def _memories(tally: Tally) -> tuple[int | None, ...]:
    """The memory limits to try: none, and that of a small container in bytes."""
    try:
        groups.make(GIGABYTE).close()
    except OSError:
        tally.skip("concurrent and sizes in 1 GB: no memory cgroup can be made here")
        return (None,)
    return (None, GIGABYTE)


def _section(name: str, limits: Limits, tally: Tally) -> None:
    began = time.monotonic()
    print(f"{name} ...", file=sys.stderr, flush=True)
    SECTIONS[name][1](limits, tally)
    tally.note(f"{name}: {time.monotonic() - began:.0f} s")


def _tell(tally: Tally, seconds: float) -> None:
    for finding in tally.findings:
        print(f"wrong: {finding}")
    for note in tally.notes:
        print(note)
    for left in tally.not_run():
        print(f"not run, because of the time: {left}")
    for skipped in tally.skipped:
        print(f"not possible: {skipped}")
    print(f"{seconds / 60:.1f} minutes; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make soak", description="Try faults, kills, concurrent load and large inputs."
    )
    parser.add_argument("--only", default="", help=f"sections, separated by commas: {', '.join(SECTIONS)}")
    parser.add_argument(
        "--match", default="", help="of faults and sizes: parts of the names of conditions, separated by commas"
    )
    parser.add_argument("--minutes", type=float, default=20, help="start no trial after this time")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--scale", type=float, default=1, help="multiplies the rows of concurrent and sizes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
