"""The speed of `orgdata sync` at octolis' documented limits, against the simulated vendor, for three minutes.

The document allows 135 requests per minute with 500 records each. The script prints the number of accepted records as a
share of that, the number of refusals (429), and the CPU time of the sync. The exit status is 1 below 92 %, or after any
429.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.log import Entry
from orgdata_dagster.sandbox.octolis import Column, Dataset, Octolis
from orgdata_dagster.sandbox.server import Sandbox, keep_steady

ALLOWED, WANTED = 67_500, 0.92  # records per minute; the share of them that must be accepted
ATTRIBUTES = {"name": "bench", "dataset": "people", "source": "marts.people", "key": ["email"], "dry_run": False}
COLUMNS = [Column("email"), Column("firstname"), Column("n", "integer"), Column("score", "float"),
           Column("vip", "boolean"), Column("born_at", "timestamp")]  # fmt: skip
SOURCE = """
CREATE SCHEMA marts;
CREATE TABLE marts.people AS SELECT 'p' || i || '@example.org' AS email, 'Jeanne ' || i AS firstname,
    CAST(i AS INTEGER) AS n, round(i % 1000 / 8, 2) AS score, i % 3 = 0 AS vip,
    DATE '1990-01-01' + CAST(i % 9000 AS INTEGER) AS born_at FROM range({rows}) AS t(i)
"""


def project(folder: Path) -> Path:
    """A Dagster project with nothing but the sync."""
    defs = folder / "bench_project" / "defs" / "octolis"
    defs.mkdir(parents=True)
    for package in (defs.parent.parent, defs.parent):
        (package / "__init__.py").touch()
    (defs / "defs.yaml").write_text(yaml.safe_dump({"type": "orgdata_dagster.OctolisSync", "attributes": ATTRIBUTES}))
    (folder / "dagster.yaml").write_text((Path(__file__).parents[1] / "dagster.yaml").read_text())
    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "bench_project"\n'
    )
    return folder


def taken(entries: list[Entry], seconds: float) -> int:
    """Number of records in the requests of the first `seconds` seconds."""
    return sum(entry.rows or 0 for entry in entries if entry.arrived - entries[0].arrived < seconds)


def cpu_seconds(group: int) -> float:
    """CPU time so far of all processes of a group: the command, its fork server and its worker."""
    fields = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")]
    ticks = sum(int(each[11]) + int(each[12]) for each in fields if int(each[2]) == group)
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run it; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=3)
    minutes = options.parse_args().minutes
    people = Dataset("people", COLUMNS, [("email",)])
    keep_steady()
    with tempfile.TemporaryDirectory() as home, Sandbox(Octolis([people])) as sandbox:
        os.environ.update({settings.HOME: home, "DAGSTER_HOME": "", settings.WAREHOUSE: "", **environment(sandbox.url)})
        os.environ[settings.PROJECT] = str(project(Path(home) / "project"))
        with WarehouseResource().open().writing() as connection:
            connection.execute(SOURCE.format(rows=int(ALLOWED * (minutes + 0.5))))
        command = [sys.executable, "-W", "ignore", "-m", "orgdata_dagster.cli", "sync", "bench"]
        sync = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        while not sandbox.log.entries() and sync.poll() is None:
            time.sleep(0.1)
        began = time.monotonic()
        while time.monotonic() - began < minutes * 60 + 1 and sync.poll() is None:
            time.sleep(0.5)
        used = cpu_seconds(sync.pid)
        os.killpg(sync.pid, signal.SIGKILL)
        sync.wait()
        entries = sandbox.log.entries("octolis")
    records, refused = taken(entries, minutes * 60), sandbox.octolis.limiter.violations
    share = records / minutes / ALLOWED
    print(f"{records} records in {minutes:g} minutes: {records / minutes:.0f} per minute, {share:.1%} of {ALLOWED}")
    print(f"{len(entries)} requests, {refused} refusals (429); CPU time of the sync {used:.0f} s")
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    return 0 if share >= WANTED and not refused else 1


if __name__ == "__main__":
    sys.exit(main())
