"""Try everything, print the table; see `--help`. Exit status 1 if one of the last five columns is not zero.

Here: the sections and their shares of the time. Keep out: what a section does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.outside import group as groups
from benchmarks.outside import stopping
from benchmarks.soak import company, faults, kills, sizes
from benchmarks.soak.limits import GIGABYTE, Limits
from benchmarks.soak.outcome import Tally

# section -> what it does, its share of the time
SECTIONS: dict[str, tuple[Callable[[Limits, Tally], None], float]] = {
    "faults": (faults.run, 0.45),
    "kills": (kills.run, 0.25),
    "company": (company.run, 0.1),
    "sizes": (sizes.run, 0.2),
}
_TIGHT = ("company", "sizes")  # once more in a memory cgroup


def main() -> int:
    """Run it; returns the exit status."""
    options = _options()
    chosen = options.only.split(",") if options.only else list(SECTIONS)
    groups.adopt()
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orgdata-soak-") as folder, stopping.guarded():
        until = began + options.minutes * 60
        limits = Limits(Path(folder), until, options.scale, options.kills, match=options.match)
        for number, name in enumerate(chosen):
            run, share = SECTIONS[name]
            rest = sum(SECTIONS[each][1] for each in chosen[number:])
            print(f"{name} ...", file=sys.stderr, flush=True)
            _section(run, name, limits.within(limits.left * share / rest), tally, twice=name in _TIGHT)
    print(tally.text())
    _tell(tally, time.monotonic() - began)
    return 0 if tally.good else 1


def _section(run: Callable[[Limits, Tally], None], name: str, limits: Limits, tally: Tally, *, twice: bool) -> None:
    if not twice:
        run(limits, tally)
        return
    run(limits.within(limits.left / 2), tally)
    try:
        groups.make(GIGABYTE).close()
    except OSError:
        tally.skip(f"{name} in 1 GB: no memory cgroup can be made here")
        return
    run(replace(limits, memory=GIGABYTE), tally)


def _tell(tally: Tally, seconds: float) -> None:
    for finding in tally.findings:
        print(f"wrong: {finding}")
    for note in tally.notes:
        print(note)
    for skipped in tally.skipped:
        print(f"not tried: {skipped}")
    print(f"{seconds / 60:.1f} minutes; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Try faults, kills, company and sizes.")
    parser.add_argument("--only", default="", help=f"sections, by comma: {', '.join(SECTIONS)}")
    parser.add_argument("--match", default="", help="of faults and sizes: parts of conditions' names, by comma")
    parser.add_argument("--minutes", type=float, default=20, help="begin nothing new after that")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--scale", type=float, default=1, help="multiplies the rows of company and sizes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
