"""Ours beside a bare loop, in turn against one server, each in a process of its own; and the figures.

Here: what the benchmarks with a bare loop share. Keep out: what is pulled, and how (million_rows.py,
octolis_records.py). Such a script is called with `serve N` for its server, and with `bare` or `ours` and what `compare`
hands on for one run.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

Figures = dict[str, float]


def compare(script: str, size: int, rounds: int, arguments: Sequence[str], *, what: str, unit: str) -> None:
    """Run both in turn, `rounds` times, and print the figures; `what` describes the `size` things, called `unit`."""
    server = subprocess.Popen([sys.executable, script, "serve", str(size)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    runs: dict[str, list[Figures]] = {"bare": [], "ours": []}
    try:
        for _ in range(rounds):
            for which, figures in runs.items():
                figures.append(_one_run(script, which, url, arguments))
    finally:
        server.terminate()
        server.wait()
    print(f"{what}; median of {rounds} rounds")
    _report(size, unit, runs)


def measured(run: Callable[[], int], modules: Sequence[str], *, dagster: bool) -> None:
    """Run one of the two in this process and print its figures as JSON: work time, after the imports."""
    for module in modules:
        importlib.import_module(module)
    if dagster:
        _start_dagster()
    started, cpu = time.perf_counter(), time.process_time()
    count = run()
    figures = {
        "count": count,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def _start_dagster() -> None:
    """A run that does nothing: Dagster imports its stores at the first one, which is start-up and not work."""
    import dagster as dg

    @dg.asset
    def nothing() -> None: ...

    dg.materialize([nothing], run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}})


def _one_run(script: str, which: str, url: str, arguments: Sequence[str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, script, which, url, folder, *arguments],
            env={**os.environ, "ORGDATA_HOME": folder},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{which} failed:\n{done.stderr[-3000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))


def _report(size: int, unit: str, runs: dict[str, list[Figures]]) -> None:
    for which, figures in runs.items():
        seconds = statistics.median(figure["seconds"] for figure in figures)
        cpu = statistics.median(figure["cpu"] for figure in figures)
        peak = max(figure["peak"] for figure in figures)
        landed = {int(figure["count"]) for figure in figures}
        told = f"{which}: {size / seconds:12,.0f} {unit}/s {seconds:8.2f} s, {cpu:6.2f} s of CPU"
        print(f"{told}, peak {peak:5.0f} MB, {unit} {landed}")
    ratios = [bare["seconds"] / own["seconds"] for bare, own in zip(runs["bare"], runs["ours"], strict=True)]
    print(f"ratio to the bare loop: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
