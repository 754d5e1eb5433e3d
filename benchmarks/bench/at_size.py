"""The optional workload `size`: commands and ticks on a home with five years of 50 tables.

Here: making such a home, and the commands that are measured on it. The rows of the ledger are generated; the tables
have one row per day. Keep out: other workloads (workloads.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.bench.report import Run
from benchmarks.bench.workloads import ORGDATA
from benchmarks.outside.command import Ended
from benchmarks.outside.home import Home
from benchmarks.outside.server import Server

TITLE = "5 years of 50 tables"
_TABLES, _DAYS = 50, 1826
_VENDOR = "institution_analytics"
_LOADS_PER_DAY = 7  # today is pulled several times, and some days again later

_LEDGER = """
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

_TICK = """
import json, time
import dagster as dg
from orgdata_dagster.orchestration.automation.catch_up import catch_up_sensor
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.project.build import build_defs
repository = build_defs().get_repository_def()
with shared_instance() as instance:
    for _ in range(2):  # at the second tick the process has imported everything, like the daemon
        context = dg.build_sensor_context(
            instance=instance, repository_def=repository, resources={"warehouse": WarehouseResource()}
        )
        began, cpu = time.monotonic(), time.process_time()
        repository.get_sensor_def("catch_up").evaluate_tick(context)
        figures = time.monotonic() - began, time.process_time() - cpu
print(json.dumps(figures))
"""


def measure(folder: Path, rounds: int) -> Iterator[Run]:
    """Measure `status`, a tick of `catch_up`, and a pull of one table before and after the ledger is filled."""
    with Server("csv_tables", {"tables": _TABLES, "rows": 3 * _DAYS, "days": _DAYS}, folder / "truth") as server:
        home = Home(folder / "home", server)
        names = [table.name.partition(".")[2] for table in server.tables]
        last = str(server.days[1])
        pull = ["pull", f"{_VENDOR}/{names[0]}", "--from", last, "--to", last]
        for _ in range(2):
            ended = home.orgdata(*pull)
        yield _run("pull of a day, empty ledger", ended)
        _fill(home.warehouse, names, _DAYS)
        for _ in range(rounds):
            yield _run(f"pull of a day, {TITLE}", home.orgdata(*pull))
            yield _run(f"`orgdata status`, {TITLE}", home.orgdata("status"))
            ended = home.start("-c", _TICK, words=(sys.executable,)).wait(600)
            seconds, cpu = json.loads(ended.out) if ended.status == 0 else (0.0, 0.0)
            yield _run(f"tick of `catch_up`, {TITLE}", ended, seconds, cpu)


def _run(title: str, ended: Ended, seconds: float | None = None, cpu: float | None = None) -> Run:
    if ended.status:
        print(f"{title} failed with {ended.status}:\n{ended.text[-3000:]}", file=sys.stderr)
    return Run(
        title,
        ORGDATA,
        ended.seconds if seconds is None else seconds,
        ended.cpu if cpu is None else cpu,
        ended.peak,
        0,
        None,
        ended.status != 0,
    )


def _fill(warehouse: Path, tables: list[str], days: int) -> None:
    """Write a ledger of `days` days up to yesterday into a warehouse in which one table has landed."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TEMP TABLE tables (table_name VARCHAR)")
        connection.executemany("INSERT INTO tables VALUES (?)", [[name] for name in tables])
        connection.execute(
            "CREATE TEMP TABLE days AS SELECT (current_date - CAST(back AS INTEGER))::DATE AS day "
            f"FROM range(2, {days} + 1) AS backs(back)"
        )
        connection.execute(_LEDGER.format(vendor=_VENDOR, loads=_LOADS_PER_DAY, requests=2 * _LOADS_PER_DAY))
        for name in tables[1:]:
            connection.execute(
                f"CREATE TABLE {_VENDOR}.{name} AS SELECT first.* REPLACE (CAST(day AS VARCHAR) AS _orgdata_partition) "
                f"FROM days, (SELECT * FROM {_VENDOR}.{tables[0]} LIMIT 1) AS first"
            )
