"""Commits, queries and a bulk load on the three kinds of warehouse, alternating: `make bench ONLY=warehouses`.

    python -m benchmarks.warehouses [--rounds 25] [--rows 300000] [--only file,sqlite,postgres]

`--only postgres,s3` compares a lake in a folder with one on an S3 server, which needs `pip install -e '.[s3]'`.

It starts a PostgreSQL server of its own, from Debian's package. The server does not wait for its disk (`fsync` is off),
and the files are in memory if the machine has /dev/shm. The figures compare the kinds; a disk would add to
each of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import object_store, warehouses
from orgdata_dagster_tests.postgres import running
from orgdata_dagster_tests.warehouse.rig import Rig

QUERY = "SELECT _orgdata_partition, count(*), sum(n) FROM acme.items GROUP BY 1 ORDER BY 1"
PAGE = "n,text\n" + "".join(f"{n},text {n}\n" for n in range(100))
COLUMNS = ("new", "replace", "query", "bulk")
S3 = "s3"
NAMES = {
    warehouses.FILE: "file",
    warehouses.SQLITE: "lake on SQLite",
    warehouses.POSTGRES: "lake on PostgreSQL",
    S3: "lake on PostgreSQL, files on an S3 server",
}
HEADER = (
    "| warehouse | commit of 100 new rows, ms | replacing 100 rows, ms | query, ms | {rows:,} rows in bulk, s |\n"
    "|---|--:|--:|--:|--:|\n"
)
TITLE, ROUNDS, ROWS = "Three kinds of warehouse", 25, 300_000


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="commits and queries of each kind")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the bulk load")
    parser.add_argument("--only", default=",".join(warehouses.KINDS))
    options = parser.parse_args()
    print(measured(options.only.split(","), options.rounds, options.rows))


def measured(kinds: Sequence[str] = warehouses.KINDS, rounds: int = ROUNDS, rows: int = ROWS) -> str:
    """The figures as a Markdown table: medians, and the shortest time in brackets."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="orgdata-warehouses-", dir=memory) as name, ExitStack() as stack:
        if {warehouses.POSTGRES, S3} & set(kinds):
            warehouses.servers.append(stack.enter_context(running(Path(name) / "server")))
        if S3 in kinds:
            store = stack.enter_context(object_store.running(Path(name) / "store"))
            store.bucket(S3)
            os.environ.update(store.variables)
        rigs = {kind: _rig(Path(name) / kind, kind, stack) for kind in kinds}
        took = _measured(rigs, rounds, rows)
    lines = [
        f"| {NAMES[kind]} | {' | '.join(_shown(times[name], 1 if name == 'bulk' else 1000) for name in COLUMNS)} |\n"
        for kind, times in took.items()
    ]
    note = (
        f"Medians of {rounds} rounds, in brackets the shortest time. Files are in memory; no server waits for a disk."
    )
    return f"{HEADER.format(rows=rows)}{''.join(lines)}\n{note}"


def _rig(folder: Path, kind: str, stack: ExitStack) -> Rig:
    folder.mkdir()
    location = warehouses.location(folder, warehouses.POSTGRES if kind == S3 else kind)
    if kind == S3:
        location = location.replace(f"DATA_PATH={folder}", f"DATA_PATH=s3://{S3}")
    connection = stack.enter_context(Warehouse(location, scratch=folder / "scratch").scratch_connection())
    rig = Rig(folder, connection, location)
    rig.land(PAGE, partition="first")
    return rig


def _measured(rigs: dict[str, Rig], rounds: int, rows: int) -> dict[str, dict[str, list[float]]]:
    """Kind -> column -> seconds. The kinds take turns, so that each has the same share of a busy machine."""
    took = {kind: {name: list[float]() for name in COLUMNS} for kind in rigs}
    many = "n,text\n" + "".join(f"{n},text {n}\n" for n in range(rows))
    for number in range(rounds):
        for kind, rig in rigs.items():
            took[kind]["new"].append(_seconds(lambda rig=rig: rig.land(PAGE, partition=f"day-{number}")))  # noqa: B023
            took[kind]["replace"].append(_seconds(lambda rig=rig: rig.land(PAGE, partition="first")))
            took[kind]["query"].append(_seconds(lambda rig=rig: rig.warehouse.query(QUERY)))
    for number in range(3):
        for kind, rig in rigs.items():
            took[kind]["bulk"].append(_seconds(lambda rig=rig: rig.land(many, partition=f"bulk-{number}")))  # noqa: B023
    return took


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _shown(seconds: list[float], factor: float) -> str:
    digits = 2 if factor == 1 else 0
    return f"{factor * statistics.median(seconds):.{digits}f} ({factor * min(seconds):.{digits}f})"


if __name__ == "__main__":
    main()
