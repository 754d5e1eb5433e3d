"""The daemon without any command from outside: do all tables become equal to the vendors?

`orgdata dev` runs against the sandbox with a tick every four minutes. Rows are added and changed at all five vendors
throughout, and one vendor is down for a while. After the last change, the tables have some minutes to become equal.

    python benchmarks/by_itself.py [--minutes 20] [--json FILE]     # the daemon: tables, runs, limits, coverage
    python benchmarks/by_itself.py --kill                           # kill -9 of all processes during runs, twice

The exit status is 1 if a table differs, a limit was broken, coverage has a gap, or something is stuck.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from living_project import DAYS, Changes, write_project
from same_as_vendors import different

PACE = 3  # seconds instead of together's minute
DOWN = "accutics"


@contextmanager
def dev(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `orgdata dev` in a session of its own; at the end it is killed with everything that it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orgdata_dagster.cli", "dev", "--port", str(port)],
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        kill_tree(process)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of a process and of everything that it has started, also in sessions of their own."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    tree, waiting = [], [process.pid]
    while waiting:
        tree.append(waiting.pop())
        waiting += children.get(tree[-1], [])
    for pid in tree:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def runs() -> list[Any]:
    from orgdata_dagster.orchestration.instance.setup import shared_instance

    with shared_instance() as instance:
        return list(instance.get_runs())


def missing_partitions() -> dict[str, list[str]]:
    """Asset -> the partitions that `catch_up` would still pull."""
    from orgdata_dagster.cli import loaded_project
    from orgdata_dagster.orchestration.automation import gaps as missing
    from orgdata_dagster.orchestration.instance.setup import shared_instance
    from orgdata_dagster.orchestration.resources import WarehouseResource
    from orgdata_dagster.orchestration.tags import pulled_assets

    graph = loaded_project.load().defs.resolve_asset_graph()
    kinds = pulled_assets(graph)
    reach = missing.reaches(WarehouseResource(), kinds)
    now = datetime.now(UTC)
    with shared_instance() as instance:
        found = {
            key.to_user_string(): missing.missing_partitions(
                instance, key, kind, graph.get(key).partitions_def, reach[key], now
            )
            for key, kind in kinds.items()
        }
    return {name: [str(each) for each in names] for name, names in found.items() if names}


def wait_for(good: Callable[[], bool], seconds: float) -> float | None:
    """Wait until `good` returns true; returns the seconds that it took, or None after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if good():
            return round(time.monotonic() - began, 1)
        time.sleep(5)
    return None


def stay(sandbox: Any, folder: Path, minutes: float) -> dict[str, Any]:
    """Run the daemon for this many minutes; returns what happened."""
    from orgdata_dagster.sandbox.faults import Status

    changes = Changes(sandbox)
    settle = max(150.0, minutes * 60 * 0.3)
    busy = minutes * 60 - settle
    down = next(vendor for vendor in sandbox.vendors if vendor.name == DOWN)
    with dev(folder / "dev.log"):
        wait_for(lambda: bool(runs()), 180)  # the time counts from the first run
        began = time.monotonic()
        while (spent := time.monotonic() - began) < busy:
            if 0.4 * busy < spent < 0.6 * busy:
                down.faults.clear()
                down.faults.add(Status(503), times=10_000)
            else:
                down.faults.clear()
            changes.one_round()
            time.sleep(2)
        down.faults.clear()
        equal_after = wait_for(lambda: not different(sandbox), settle)
        time.sleep(max(0.0, minutes * 60 - (time.monotonic() - began)))
        found = runs()
        differences, missing = different(sandbox), missing_partitions()
    statuses = Counter(run.status.value for run in found)
    refused = Counter(entry.vendor for entry in sandbox.log.entries() if entry.status == 429)
    return {
        "minutes": minutes,
        "rounds_of_changes": changes.number,
        "equal_after_seconds": equal_after,
        "different": differences,
        "runs": dict(statuses),
        "runs_by_asset": dict(Counter(key.to_user_string() for run in found for key in run.asset_selection or ())),
        "requests": dict(Counter(entry.vendor for entry in sandbox.log.entries())),
        "limits_broken": {vendor.name: vendor.limiter.violations for vendor in sandbox.vendors},
        "answers_429": dict(refused),
        "missing_partitions": missing,
        "good": not differences and not missing and not refused and equal_after is not None,
    }


def kill(sandbox: Any, folder: Path) -> dict[str, Any]:
    """Kill everything while runs are in progress and start again; returns whether anything is stuck after 2 minutes."""
    from orgdata_dagster.sandbox.faults import Slow

    def in_flight() -> list[Any]:
        return [run for run in runs() if run.status.value in ("STARTED", "STARTING")]

    found, changes = [], Changes(sandbox)
    for _ in range(2):
        for vendor in sandbox.vendors:
            vendor.faults.add(Slow(20), times=6)  # so that runs are in progress
        with dev(folder / "dev.log") as process:
            if wait_for(lambda: len(in_flight()) >= 2, 600) is None:
                return {"good": False, "why": "no two runs were in progress at the same time"}
            killed = {run.run_id for run in in_flight()}
            kill_tree(process)
        for vendor in sandbox.vendors:
            vendor.faults.clear()
        changes.one_round()
        with dev(folder / "dev.log"):
            ended = wait_for(lambda killed=killed: not killed & {run.run_id for run in in_flight()}, 120)  # type: ignore[misc]
            pulled = wait_for(lambda: not different(sandbox), 600)  # a tick comes every four minutes
            found.append(
                {"killed": len(killed), "none_stuck_after": ended, "equal_after": pulled, "slots": stuck_slots()}
            )
    good = all(each["none_stuck_after"] is not None and each["equal_after"] is not None and not each["slots"]
               for each in found)  # fmt: skip
    return {"kills": found, "runs": dict(Counter(run.status.value for run in runs())), "good": good}


def stuck_slots() -> int:
    """Number of pool slots that ended runs still hold."""
    from orgdata_dagster.orchestration.instance.setup import shared_instance

    with shared_instance() as instance:
        ended = {run.run_id for run in instance.get_runs() if run.is_finished}
        storage = instance.event_log_storage
        infos = [storage.get_concurrency_info(pool) for pool in storage.get_concurrency_keys()]
        return sum(slot.run_id in ended for info in infos for slot in info.claimed_slots)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from orgdata_dagster import settings
    from orgdata_dagster.sandbox import accutics, channel_reports, institution_analytics, octolis, together
    from orgdata_dagster.sandbox.environment import environment
    from orgdata_dagster.sandbox.server import Sandbox

    folder = Path(tempfile.mkdtemp(prefix="by-itself-"))
    os.environ |= {
        settings.HOME: str(folder / "home"),
        settings.PROJECT: str(write_project(folder / "project")),
        settings.CATCH_UP: "20",
        settings.TEST_SERVER_PACE: str(PACE),
        settings.TEST_SERVER_PROBES: "60",
    }
    for name in ("DAGSTER_HOME", settings.WAREHOUSE):
        os.environ.pop(name, None)
    vendors = [
        together.demo(limits=together.document_limits(PACE)),
        channel_reports.demo(days=DAYS),
        institution_analytics.demo(days=DAYS, rows=2_000),
        accutics.demo(days=DAYS, rows=800),
        octolis.demo(),
    ]
    with Sandbox(*vendors) as sandbox:
        os.environ |= environment(sandbox.url)
        found = kill(sandbox, folder) if options.kill else stay(sandbox, folder, options.minutes)
    text = json.dumps({**found, "folder": str(folder)}, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text)
    return 0 if found["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
