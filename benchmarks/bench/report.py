"""The table of `make bench`, and benchmarks/RESULTS.md. Keep out: measuring."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.bench.workloads import BARE
from benchmarks.outside import table

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
HEAD = ("workload", "who", "wall s", "range", "x bare loop", "range ", "CPU s", "peak MB", "requests", "rows wrong")


@dataclass(frozen=True)
class Run:
    """One run of a workload.

    peak: in bytes.
    wrong: number of rows that differ from the truth; None if nothing was compared.
    """

    workload: str
    who: str
    seconds: float
    cpu: float
    peak: int
    requests: int
    wrong: int | None
    failed: bool = False


def text(runs: Sequence[Run]) -> str:
    """The table: medians over the rounds."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.workload, run.who), []).append(run)
    return table.text(HEAD, [_row(group, groups.get((name, BARE))) for (name, _), group in groups.items()])


def write(runs: Sequence[Run], rounds: int, loads: Iterable[float], kind: str) -> None:
    """Write the table with date and machine to RESULTS.md. `loads`: load average before and after."""
    before, after = loads
    _, mark, others = RESULTS.read_text().partition("\n## ")  # sections with other tables
    RESULTS.write_text(
        "# The last results of `make bench`\n\n"
        f"{_circumstances()}\n"
        f"Load average {before:.1f} before and {after:.1f} after (including the runs themselves).\n\n"
        f"Each figure is the median of up to {rounds} interleaved rounds of the whole process, from start to exit. CPU"
        f" and\npeak memory (anonymous, by {kind}) are those of the whole process tree. `rows wrong` are rows lost,"
        " duplicated\nor altered, of all rounds. Dagster, the sandbox and all limits of concurrency are at their"
        " defaults; the sandbox, a\nprocess of its own on the same machine, enforces no rate limit.\n\n"
        f"{text(runs)}\n{mark}{others}"
    )


def write_section(title: str, table: str, load: float) -> None:
    """Replace or add the section of RESULTS.md with this title."""
    first, *others = RESULTS.read_text().split("\n## ")
    made = f"{title}\n\n{_circumstances()} Load average {load:.1f} before.\n\n{table}\n"
    titles = [other.partition("\n")[0] for other in others]
    if title in titles:
        others[titles.index(title)] = made
    else:
        others.append(made)
    RESULTS.write_text("\n## ".join([first, *others]))


def _circumstances() -> str:
    """Date, commit, machine and versions, as one sentence."""
    root = RESULTS.parents[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True)
    packages = ", ".join(f"{name} {version(name)}" for name in ("dagster", "duckdb", "httpx"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit.stdout.strip()}; {os.cpu_count()} CPUs"
        f" ({_processor()}), {_memory():.0f} GB, Python {platform.python_version()}, {packages}."
    )


def _row(runs: Sequence[Run], bare: Sequence[Run] | None) -> list[str]:
    seconds = [run.seconds for run in runs]
    factors = [run.seconds / other.seconds for run, other in zip(runs, bare or (), strict=False)]
    wrong = [run.wrong for run in runs if run.wrong is not None]
    told = "failed" if any(run.failed for run in runs) else str(sum(wrong)) if wrong else "-"
    return [
        runs[0].workload,
        runs[0].who,
        f"{statistics.median(seconds):.2f}",
        _range(seconds),
        f"{statistics.median(factors):.2f}" if factors else "-",
        _range(factors) if factors else "-",
        f"{statistics.median(run.cpu for run in runs):.1f}",
        f"{statistics.median(run.peak for run in runs) / 1e6:.0f}",
        f"{statistics.median(run.requests for run in runs):.0f}",
        told,
    ]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f}-{max(values):.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
