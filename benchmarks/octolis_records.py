"""How fast and how lean a first pull of an octolis dataset is, beside a bare loop in the same run.

The bare loop does what a script would: httpx to files, page after page, then one read_json into a table, with the types
that the database guesses. No check of a value, no overlaps dropped, no ledger. Both read the same dataset from the same
server, without its rate limits; each runs in a process of its own; work time, without starting Python and importing.
The ratio is bare / ours: 1.0 is as fast as the bare loop.

    python benchmarks/octolis_records.py [--records 500000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path

from beside_bare import compare, measured

MODULES = ("dagster", "duckdb", "httpx", "pandas", "orgdata_dagster.vendors.octolis.assets")
_KEY = "sandbox-octolis-key"
_FAST = 1e6  # points a second and a minute: the server has no limits here


def serve(records: int) -> None:
    """The server: one dataset of so many records."""
    from orgdata_dagster.sandbox.octolis import bulk
    from orgdata_dagster.sandbox.server import serve as run

    run(vendors=[bulk(records)], announce=lambda url: print(url, flush=True))


def bare(url: str, folder: Path) -> int:
    """The bare loop; returns the records it loaded."""
    import duckdb
    import httpx

    files: list[str] = []
    headers = {"Accept": "*/*", "Content-Type": "application/json"}
    with httpx.Client(headers=headers, params={"api-key": _KEY}, timeout=60, verify=False) as client:
        while not files or os.path.getsize(files[-1]) > 100:
            files.append(str(folder / f"bare-{len(files)}.json"))
            query = {"page": len(files), "pageSize": 50_000}
            with client.stream("GET", f"{url}/octolis/v1/data/datasets/bulk/records", params=query) as response:
                response.raise_for_status()
                with open(files[-1], "wb") as file:
                    for chunk in response.iter_bytes():
                        file.write(chunk)
    for path in files[:-1]:  # the envelope away, as an array loads twice as fast
        body = Path(path).read_bytes()
        Path(path).write_bytes(body[len(b'{"records":') : -1])
    connection = duckdb.connect(str(folder / "bare.duckdb"))
    connection.execute(f"CREATE TABLE records AS SELECT * FROM read_json({files[:-1]!r}, format = 'array')")
    count = connection.execute("SELECT count(*) FROM records").fetchone()
    connection.close()
    return count[0] if count else 0


def ours(url: str, folder: Path) -> int:
    """The asset, through Dagster; returns the records that landed."""
    import dagster as dg

    from orgdata_dagster.orchestration.resources import WarehouseResource
    from orgdata_dagster.vendors.octolis.assets import DataSet, build_asset
    from orgdata_dagster.vendors.octolis.client import Query
    from orgdata_dagster.vendors.octolis.pulling import Manner
    from orgdata_dagster.vendors.octolis.resource import OctolisResource

    vendor = OctolisResource(
        base_url=f"{url}/octolis/v1/data",
        api_key=_KEY,
        points_per_second=_FAST,
        points_per_minute=_FAST,
        account_points_per_minute=_FAST,
    )
    warehouse = WarehouseResource(uri=str(folder / "ours.duckdb"))
    manner = Manner(settle=timedelta(seconds=60), walk_every=timedelta(hours=24), page_size=50_000)
    result = dg.materialize(
        [build_asset(DataSet("bulk", Query("bulk")), manner)],
        resources={"octolis": vendor, "warehouse": warehouse},
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )
    assert result.success
    return int(warehouse.query("SELECT count(*) AS n FROM octolis.bulk")["n"][0])


def main() -> None:
    """Run both in turn and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=500_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    what = f"{options.records:,} records of 12 columns, pages of 50,000"
    compare(__file__, options.records, options.rounds, (), what=what, unit="records")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] in (["bare"], ["ours"]):
        which, url, folder = sys.argv[1:]
        run = {"bare": bare, "ours": ours}[which]
        measured(lambda: run(url, Path(folder)), MODULES, dagster=which == "ours")
    else:
        main()
