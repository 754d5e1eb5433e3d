"""How fast and how lean a first pull of an octolis dataset is, beside a bare loop in the same run.

The bare loop does what a script would: httpx to files, page after page, then one read_json into a table, with the types
that the database guesses. No check of a value, no overlaps dropped, no ledger. Both read the same dataset from the same
server, without its rate limits; each runs in a process of its own; work time, without starting Python and importing.
The ratio is bare / ours: 1.0 is as fast as the bare loop.

    python benchmarks/octolis_records.py [--records 500000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

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


def measured(which: str, url: str, folder: str) -> None:
    """Run one of the two in this process and print its figures as JSON."""
    import dagster  # noqa: F401
    import duckdb  # noqa: F401
    import httpx  # noqa: F401
    import pandas  # noqa: F401

    import orgdata_dagster.vendors.octolis.assets  # noqa: F401

    if which == "ours":
        _start_dagster()
    started, cpu = time.perf_counter(), time.process_time()
    records = {"bare": bare, "ours": ours}[which](url, Path(folder))
    figures = {
        "records": records,
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


def main() -> None:
    """Run both in turn and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--records", type=int, default=500_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    command = [sys.executable, __file__, "serve", str(options.records)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    runs: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    try:
        for _ in range(options.rounds):
            for which, figures in runs.items():
                figures.append(_one_run(which, url))
    finally:
        server.terminate()
        server.wait()
    _report(options.records, runs)


def _one_run(which: str, url: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, __file__, which, url, folder],
            env={**os.environ, "ORGDATA_HOME": folder},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{which} failed:\n{done.stderr[-3000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))


def _report(records: int, runs: dict[str, list[dict[str, float]]]) -> None:
    print(f"{records:,} records of 12 columns, pages of 50,000; median of {len(runs['ours'])} rounds")
    for which, figures in runs.items():
        seconds = statistics.median(figure["seconds"] for figure in figures)
        cpu = statistics.median(figure["cpu"] for figure in figures)
        peak = max(figure["peak"] for figure in figures)
        landed = {int(figure["records"]) for figure in figures}
        told = f"{which}: {records / seconds:12,.0f} records/s {seconds:8.2f} s, {cpu:6.2f} s of CPU"
        print(f"{told}, peak {peak:5.0f} MB, records {landed}")
    ratios = [bare["seconds"] / own["seconds"] for bare, own in zip(runs["bare"], runs["ours"], strict=True)]
    print(f"ratio to the bare loop: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] in (["bare"], ["ours"]):
        measured(sys.argv[1], sys.argv[2], sys.argv[3])
    else:
        main()
