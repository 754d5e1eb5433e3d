"""The daemon left to itself: does everything end equal to the vendors, with no hand on it?

`orgdata dev` runs against the sandbox with a tick every four minutes. Rows come and change all the time at
all five vendors; in the middle one of them is down for a while. When the changes end, the tables get some minutes to
become equal.

    python benchmarks/by_itself.py [--minutes 20] [--json FILE]     # the daemon: tables, runs, limits, coverage
    python benchmarks/by_itself.py --kill                           # kill -9 of all of it with runs in flight, twice

Exit status 1 if a table differs, a limit was broken, coverage has a hole, or something is stuck.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

DAYS = 4
PACE = 3  # seconds instead of together's minute
DOWN = "accutics"
OCTOLIS_ID = "5f1c0f52-7a3b-4a57-9d0e-2f6f0c1d0001"
Pairs = Counter[tuple[str, ...]]


def start_date() -> str:
    return str(datetime.now(UTC).date() - timedelta(days=DAYS - 1))


def write_project(folder: Path) -> Path:
    """A project with every vendor, pulled every minute."""
    cron, since = "*/4 * * * *", start_date()
    lists = [
        {"name": "submissions", "path": "/submissions", "paging": "page", "sort": "-updated_at"},
        {"name": "records", "path": "/records", "paging": "cursor"},
    ]
    defs: dict[str, dict[str, Any]] = {
        "Accutics": {"start_date": since, "cron": cron, "retries": {"attempts": 2, "first_wait": 1},
                     "entities": [{**each, "key": ["id"], "cursor_column": "updated_at"} for each in lists]},
        "ChannelReports": {"start_date": since, "cron": cron, "channels": [1], "repull_days": 1,
                           "endpoints": ["reports_per_user"]},
        "InstitutionAnalytics": {"start_date": since, "cron": cron, "settle_seconds": 2,
                                 "data_sets": [{"name": "users", "key": ["id"]}, {"name": "events", "key": ["id"]}]},
        "Octolis": {"cron": "*/10 * * * *", "settle_seconds": 5, "datasets": [{"name": "contacts", "id": OCTOLIS_ID}]},
        "Together": {"start_date": since, "cron": cron, "keys": {"users": ["User ID"]}},
    }  # fmt: skip
    package = folder / "daemon_project" / "defs"
    for name, attributes in defs.items():
        vendor = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        (package / vendor).mkdir(parents=True)
        written = {"type": f"orgdata_dagster.{name}", "attributes": attributes}
        (package / vendor / "defs.yaml").write_text(yaml.safe_dump(written))
    for path in (folder / "daemon_project", package):
        (path / "__init__.py").touch()

    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "daemon_project"\ncode_location_name = "orgdata"\n'
    )
    root = Path(__file__).parent.parent
    (folder / "dagster.yaml").write_text((root / "dagster.yaml").read_text())
    (folder / "workspace.yaml").write_text((root / "workspace.yaml").read_text())
    return folder


class Changes:
    """Inserts and updates at every vendor."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.random = random.Random(0)
        self.number = 0

    def one_round(self) -> None:
        self.number += 1
        now, chance = datetime.now(UTC), self.random
        users = self.sandbox.institution_analytics.data_sets["users"]
        users.insert({"id": f"by itself {self.number}", "updated_date": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
        users.touch(chance.choice(users.truth())["id"], now)
        for name in ("submissions", "records"):
            entity = self.sandbox.accutics.entities[name]
            entity.insert({"id": f"by itself {self.number}"})
            entity.update(chance.choice(entity.truth())["id"])
        contacts = self.sandbox.octolis.datasets[OCTOLIS_ID]
        contacts.upsert({"email": f"by.itself.{self.number}@example.org"})
        contacts.update(chance.choice(contacts.truth())["__masterid__"], {})
        report = self.sandbox.together.reports["users"]
        report.update(lambda row: row["User ID"] == f"{42 + self.number:06d}", {"Department": f"moved {self.number}"})
        channel = self.sandbox.channel_reports.channels[1]
        channel.add_report(now, user_id=next(iter(channel.users)), state_id=next(iter(channel.states)))


def truth(sandbox: Any) -> dict[str, Pairs]:
    """Table -> what tells its rows' versions apart, as the vendors have it."""
    since = start_date()
    institution, accutics = sandbox.institution_analytics, sandbox.accutics

    def dated(rows: list[dict[str, Any]], key: str, at: str) -> Pairs:
        return Counter((str(row[key]), instant(row[at])) for row in rows if str(row[at]) >= since)

    midnight = datetime.fromisoformat(f"{since}T00:00:00Z")
    reports = sandbox.channel_reports.truth("reports_per_user", 1, midnight, datetime.now(UTC) + timedelta(days=1))
    return {
        "institution_analytics.users_current": dated(institution.data_sets["users"].truth(), "id", "updated_date"),
        "institution_analytics.events_current": dated(institution.data_sets["events"].truth(), "id", "updated_date"),
        "accutics.submissions": dated(accutics.entities["submissions"].truth(), "id", "updated_at"),
        "accutics.records": dated(accutics.entities["records"].truth(), "id", "updated_at"),
        "octolis.contacts": Counter(
            (row["__masterid__"], instant(row["__modified_at__"])) for row in sandbox.octolis.truth(OCTOLIS_ID)
        ),
        "together.users_current": Counter(
            (row["User ID"], row["Department"] or "") for row in sandbox.together.truth("users")
        ),
        "channel_reports.reports_per_user": Counter((str(row["user_id"]), str(row["report_count"])) for row in reports),
    }


def instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


SQL = {
    "institution_analytics.users_current": "SELECT id, updated_date FROM {}",
    "institution_analytics.events_current": "SELECT id, updated_date FROM {}",
    "accutics.submissions": "SELECT id, updated_at FROM {}",
    "accutics.records": "SELECT id, updated_at FROM {}",
    "octolis.contacts": "SELECT __masterid__, __modified_at__ FROM {}",
    "channel_reports.reports_per_user": "SELECT user_id, sum(report_count) FROM {} GROUP BY ALL",
    "together.users_current": 'SELECT "User ID", coalesce("Department", \'\') FROM {}',
}


def landed() -> dict[str, Pairs]:
    """The same out of the tables."""
    from orgdata_dagster.orchestration.resources import WarehouseResource

    found: dict[str, Pairs] = {}
    with WarehouseResource().open().reading() as connection:
        for table, sql in SQL.items():
            with suppress(Exception):  # not there yet
                rows = connection.execute(sql.format(table)).fetchall()
                found[table] = Counter(tuple(map(spelled, row)) for row in rows)
    return found


def spelled(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def different(sandbox: Any) -> dict[str, str]:
    """Tables that differ from the vendor, with how many rows lack on either side."""
    want, have = truth(sandbox), landed()
    found = {}
    for table, rows in want.items():
        missing, extra = rows - have.get(table, Counter()), have.get(table, Counter()) - rows
        if missing or extra:
            found[table] = f"{missing.total()} missing, {extra.total()} too many"
    return found


@contextmanager
def dev(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`orgdata dev` in a session of its own, ended with all it started."""
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
    """kill -9 of it and of everything it has started, sessions of their own included, all at once."""
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
    from orgdata_dagster.instance import shared_instance

    with shared_instance() as instance:
        return list(instance.get_runs())


def holes() -> dict[str, list[str]]:
    """What catch_up would still ask for."""
    from orgdata_dagster.cli import catalog
    from orgdata_dagster.instance import shared_instance
    from orgdata_dagster.orchestration import holes as missing
    from orgdata_dagster.orchestration.pull_kinds import pulled_assets
    from orgdata_dagster.orchestration.resources import WarehouseResource

    graph = catalog.load().defs.resolve_asset_graph()
    kinds = pulled_assets(graph)
    known = missing.covered(WarehouseResource(), list(kinds))
    now = datetime.now(UTC)
    with shared_instance() as instance:
        found = {
            key.to_user_string(): missing.holes(instance, key, kind, graph.get(key).partitions_def, known[key], now)
            for key, kind in kinds.items()
        }
    return {name: [str(each) for each in names] for name, names in found.items() if names}


def wait_for(good: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until it was good, None if it never was."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if good():
            return round(time.monotonic() - began, 1)
        time.sleep(5)
    return None


def stay(sandbox: Any, folder: Path, minutes: float) -> dict[str, Any]:
    """The daemon for so many minutes."""
    from orgdata_dagster.sandbox.faults import Status

    changes = Changes(sandbox)
    settle = max(150.0, minutes * 60 * 0.3)
    busy = minutes * 60 - settle
    down = next(vendor for vendor in sandbox.vendors if vendor.name == DOWN)
    with dev(folder / "dev.log"):
        wait_for(lambda: bool(runs()), 180)  # the time counts from the first run on
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
        differences, missing = different(sandbox), holes()
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
        "holes": missing,
        "good": not differences and not missing and not refused and equal_after is not None,
    }


def kill(sandbox: Any, folder: Path) -> dict[str, Any]:
    """Kill everything with runs in flight, start again, and see whether anything is stuck after 2 minutes."""
    from orgdata_dagster.sandbox.faults import Slow

    def in_flight() -> list[Any]:
        return [run for run in runs() if run.status.value in ("STARTED", "STARTING")]

    found = []
    for _ in range(2):
        for vendor in sandbox.vendors:
            vendor.faults.add(Slow(20), times=6)  # so that there is something in flight
        with dev(folder / "dev.log") as process:
            if wait_for(lambda: len(in_flight()) >= 2, 180) is None:
                return {"good": False, "why": "no runs came to be in flight"}
            killed = {run.run_id for run in in_flight()}
            kill_tree(process)
        for vendor in sandbox.vendors:
            vendor.faults.clear()
        with dev(folder / "dev.log"):
            ended = wait_for(lambda killed=killed: not killed & {run.run_id for run in in_flight()}, 120)  # type: ignore[misc]
            pulled = wait_for(lambda: not different(sandbox), 240)
            found.append(
                {"killed": len(killed), "none_stuck_after": ended, "equal_after": pulled, "slots": stuck_slots()}
            )
    good = all(each["none_stuck_after"] is not None and each["equal_after"] is not None and not each["slots"]
               for each in found)  # fmt: skip
    return {"kills": found, "runs": dict(Counter(run.status.value for run in runs())), "good": good}


def stuck_slots() -> int:
    """Slots that runs hold which have ended."""
    from orgdata_dagster.instance import shared_instance

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
