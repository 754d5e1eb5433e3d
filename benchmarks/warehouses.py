"""Times commits, queries and a bulk load on the three kinds of warehouse, in turn.

    python -m benchmarks.warehouses [--rounds 25] [--rows 300000] [--only file,sqlite,postgres]

It starts a PostgreSQL server of its own, from Debian's package. The server does not wait for its disk (`fsync` is off),
and the files are in memory where there is a /dev/shm: the figures compare the kinds, and a disk adds to each of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.postgres import running
from orgdata_dagster_tests.warehouse.rig import Rig

QUERY = "SELECT _orgdata_partition, count(*), sum(n) FROM acme.items GROUP BY 1 ORDER BY 1"


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="commits of each kind")
    parser.add_argument("--rows", type=int, default=300_000, help="rows of the bulk load")
    parser.add_argument("--only", default=",".join(warehouses.KINDS))
    options = parser.parse_args()
    print(f"{'warehouse':<12}{'new ms':>10}{'replace ms':>12}{'query ms':>10}{'bulk s':>9}{'rows/s':>10}")
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="orgdata-warehouses-", dir=memory) as name, ExitStack() as stack:
        folder = Path(name)
        for kind in options.only.split(","):
            if kind == warehouses.POSTGRES and not warehouses.servers:
                warehouses.servers.append(stack.enter_context(running(folder / "server")))
            new, replace, query, bulk = _measure(folder / kind, kind, options.rounds, options.rows)
            print(f"{kind:<12}{new:>10.0f}{replace:>12.0f}{query:>10.1f}{bulk:>9.2f}{options.rows / bulk:>10,.0f}")


def _measure(folder: Path, kind: str, rounds: int, rows: int) -> tuple[float, float, float, float]:
    """Medians of commits of 100 rows (to a new partition, in place of one), and of a query; then the bulk load."""
    folder.mkdir()
    location = warehouses.location(folder, kind)
    with Warehouse(location, scratch=folder / "scratch").scratch_connection() as connection:
        rig = Rig(folder, connection, location)
        page = "n,text\n" + "".join(f"{n},text {n}\n" for n in range(100))
        rig.land(page, partition="first")
        new = [_seconds(lambda at=at: rig.land(page, partition=f"day-{at}")) for at in range(rounds)]  # type: ignore[misc]
        replaced = [_seconds(lambda: rig.land(page, partition="first")) for _ in range(rounds)]
        query = [_seconds(lambda: rig.warehouse.query(QUERY)) for _ in range(rounds)]
        many = "n,text\n" + "".join(f"{n},text {n}\n" for n in range(rows))
        bulk = _seconds(lambda: rig.land(many, partition="bulk"))
    return 1000 * statistics.median(new), 1000 * statistics.median(replaced), 1000 * statistics.median(query), bulk


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
