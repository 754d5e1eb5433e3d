"""Makes a home as large as after five years of 50 tables, and times what people and sensors do on it.

    python benchmarks/at_size.py [--tables 50] [--days 1826] [--folder DIR]

It prints the CPU and wall seconds of `orgdata status`, of a tick of `catch_up`, and of a pull of one day. The rows of
the ledger are generated; the tables themselves have one row per day.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import yaml

ROOT = Path(__file__).parent.parent
VENDOR = "institution_analytics"
LOADS_PER_DAY = 7  # a day is pulled again while it is today, and now and then later

LEDGER = """
INSERT INTO _orgdata.loads BY NAME
SELECT '{vendor}' AS schema_name, table_name, CAST(day AS VARCHAR) AS partition_key, 'run-' || day AS run_id,
    'landed' AS status, day + INTERVAL (number * 4) HOUR AS as_of, day + INTERVAL (number * 4) HOUR AS loaded_at,
    20 AS row_count, 1 AS pages, 2000 AS bytes, 1 AS requests, 0.1 AS seconds, 0.0 AS waited_seconds,
    ['id', 'updated_date'] AS column_names
FROM days, tables, range(1, {loads} + 1) AS loads(number);
INSERT INTO _orgdata.coverage BY NAME
SELECT '{vendor}' AS schema_name, table_name, CAST(day AS VARCHAR) AS partition_key, day AS from_instant,
    day + INTERVAL 1 DAY AS to_instant, true AS complete, day + INTERVAL 1 DAY AS as_of, 'run-' || day AS run_id,
    day + INTERVAL 1 DAY AS recorded_at
FROM days, tables;
INSERT INTO _orgdata.requests BY NAME
SELECT '{vendor}' AS vendor, '/analytics' AS endpoint, 'GET' AS method, day + INTERVAL (number) HOUR AS sent_at,
    200 AS status, 1 AS attempt, 1.0 AS cost, 0.0 AS waited_seconds, 0.1 AS seconds, 2000 AS bytes,
    'run-' || day AS run_id
FROM days, tables, range(1, {requests} + 1) AS requests(number);
"""


def write_project(folder: Path, tables: list[str], first: str) -> None:
    """A project with these tables of one vendor."""
    defs = folder / "size_project" / "defs" / VENDOR
    defs.mkdir(parents=True)
    for path in (folder / "size_project", folder / "size_project" / "defs"):
        (path / "__init__.py").touch()
    attributes = {
        "start_date": first,
        "limits": {"per_minute": None},
        "tables": [{"name": name, "data_set": "users", "key": ["id"]} for name in tables],
    }
    (defs / "defs.yaml").write_text(
        yaml.safe_dump({"type": "orgdata_dagster.InstitutionAnalytics", "attributes": attributes})
    )
    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "size_project"\n'
    )


def fill(home: Path, tables: list[str], days: int) -> None:
    """Write the ledger of `days` days up to yesterday into a warehouse that has been pulled into once."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TEMP TABLE tables (table_name VARCHAR)")
        connection.executemany("INSERT INTO tables VALUES (?)", [[name] for name in tables])
        connection.execute(
            "CREATE TEMP TABLE days AS SELECT (current_date - CAST(back AS INTEGER))::DATE AS day "
            f"FROM range(2, {days} + 1) AS backs(back)"
        )
        connection.execute(LEDGER.format(vendor=VENDOR, loads=LOADS_PER_DAY, requests=2 * LOADS_PER_DAY))
        for name in tables[1:]:
            connection.execute(
                f"CREATE TABLE {VENDOR}.{name} AS SELECT first.* REPLACE (CAST(day AS VARCHAR) AS _orgdata_partition) "
                f"FROM days, (SELECT * FROM {VENDOR}.{tables[0]} LIMIT 1) AS first"
            )
        counts = [
            connection.execute(f"SELECT count(*) FROM _orgdata.{name}").fetchone()[0]  # type: ignore[index]
            for name in ("loads", "coverage", "requests")
        ]
    print(f"ledger: {counts[0]:,} loads, {counts[1]:,} coverage rows, {counts[2]:,} requests")


def timed(what: str, *command: str, environment: dict[str, str]) -> None:
    """Run a command and print what it cost, its children included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {wall:.2f} s wall, {cpu:.2f} s CPU, exit status {done.returncode}")
    if done.returncode:
        print(done.stdout[-1500:], done.stderr[-1500:])


TICK = """
import time
import dagster as dg
from orgdata_dagster.orchestration.automation.catch_up import catch_up_sensor
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.project.build import build_defs
repository = build_defs().get_repository_def()
with shared_instance() as instance:
    for number in range(3):
        context = dg.build_sensor_context(instance=instance, repository_def=repository,
                                          resources={"warehouse": WarehouseResource()})
        began, cpu = time.monotonic(), time.process_time()
        result = repository.get_sensor_def("catch_up").evaluate_tick(context)
        print(f"tick {number}: {time.monotonic() - began:.2f} s wall, {time.process_time() - cpu:.2f} s CPU,"
              f" {len(result.run_requests or ())} runs requested, {result.skip_message}")
"""


def main() -> None:
    """Make the home and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tables", type=int, default=50)
    arguments.add_argument("--days", type=int, default=1826)
    arguments.add_argument("--folder", type=Path, default=None)
    options = arguments.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="orgdata-size-"))
    tables = [f"table_{number}" for number in range(options.tables)]
    first = str(datetime.now(UTC).date() - timedelta(days=options.days))
    write_project(folder / "project", tables, first)
    home = folder / "home"
    home.mkdir()
    orgdata = [sys.executable, "-m", "orgdata_dagster.cli"]
    server = subprocess.Popen([*orgdata, "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        variables = _exports(server)
        environment = {**os.environ, **variables, "ORGDATA_HOME": str(home), "ORGDATA_PROJECT": str(folder / "project")}
        environment["ORGDATA_WAREHOUSE"] = ""
        pull = [*orgdata, "pull", f"{VENDOR}/table_0"]
        timed("first pull of a day, empty ledger", *pull, environment=environment)
        timed("second pull, empty ledger", *pull, environment=environment)
        fill(home, tables, options.days)
        timed("pull of a day, full ledger", *pull, environment=environment)
        timed("status", *orgdata, "status", environment=environment)
        timed("status again", *orgdata, "status", environment=environment)
        done = subprocess.run(
            [sys.executable, "-c", TICK], env=environment, capture_output=True, text=True, check=False
        )
        print(done.stdout or done.stderr[-2000:])
    finally:
        server.terminate()
        server.wait()


def _exports(server: subprocess.Popen[str]) -> dict[str, str]:
    """The variables that the sandbox prints."""
    found: dict[str, str] = {}
    assert server.stdout is not None
    for line in server.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        if line.startswith("export "):
            found[name] = value.strip("'\"")
        elif found:
            break
        if "TOGETHER_API_KEY" in found and "OCTOLIS_API_KEY" in found and f"{VENDOR.upper()}_API_KEY" in found:
            break
    return found


if __name__ == "__main__":
    main()
