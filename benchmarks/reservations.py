"""Reservations per second of one rate limit: `make bench ONLY=reservations`.

    python -m benchmarks.reservations [--seconds 3] [--url postgresql://...]

Here: both stores of the shared state, with 1 and 8 processes, and a rule under which no request waits.
Keep out: whole commands (bench/). Without --url, the script starts a PostgreSQL server of its own, as the tests do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.state import State, open_state
from orgdata_dagster_tests.postgres import running

FORK = multiprocessing.get_context("fork")
# one window, and the windows of octolis, with which a reservation takes two transactions
RULES = {
    "one window": Rule(buckets=((Window(1e9, 0.02),),)),
    "octolis": Rule(buckets=((Window(25e6, 1), Window(6e7, 30)), (Window(1e9, 30),))),
}


TITLE, SECONDS = "Reservations per second", 3.0


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="a database to use instead of a new server")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="seconds per figure")
    options = parser.parse_args()
    print(measured(options.url, options.seconds))


def measured(url: str = "", seconds: float = SECONDS) -> str:
    """The figures as a Markdown table."""
    lines = ["| rule | processes | files of one machine | PostgreSQL |", "|---|--:|--:|--:|"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not url:
            server = stack.enter_context(running(folder / "server"))
            url = server.url(server.new_database())
        for rule in RULES:
            for processes in (1, 8):
                figures = [_per_second(place, rule, processes, seconds, folder) for place in (None, url)]
                lines.append(f"| {rule} | {processes} | {figures[0]:,.0f} | {figures[1]:,.0f} |")
    note = "No request waits. octolis: two windows per key and one per account, two transactions per request."
    return "\n".join([*lines, "", note])


def _per_second(url: str | None, rule: str, processes: int, seconds: float, folder: Path) -> float:
    counts, go = FORK.Queue(), FORK.Event()
    workers = [
        FORK.Process(target=_reserve, args=(url, folder, rule, seconds, go, counts), daemon=True)
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    time.sleep(1.5)
    go.set()
    total = sum(counts.get() for _ in workers)
    for worker in workers:
        worker.join()
    return float(total / seconds)


def _reserve(url: str | None, folder: Path, rule: str, seconds: float, go: Any, counts: Any) -> None:
    state: State = open_state(url, folder)
    rate_limit = RateLimit(rule.replace(" ", "_"), RULES[rule], state)
    _spend(rate_limit)
    go.wait()
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        _spend(rate_limit)
        count += 1
    counts.put(count)


def _spend(rate_limit: RateLimit) -> None:
    with rate_limit.spend() as permit:
        permit.sent()


if __name__ == "__main__":
    main()
