"""How fast and how lean a pull of the institution's analytics is, beside a bare loop in the same run.

The bare loop does what a script would: httpx to files, then one read_csv of text columns into a table. No types, no
overlaps dropped, no ledger, no transaction. Both read the same days from the same server; each runs in a process of its
own; work time, without starting Python and importing. The ratio is bare / ours: 1.0 is as fast as the bare loop.

    python benchmarks/million_rows.py [--rows 1000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from beside_bare import compare, measured

DAYS = 5
MODULES = ("dagster", "duckdb", "httpx", "orgdata_dagster.vendors.institution_analytics.assets")
_SETTINGS = {"concurrent": 2, "per_minute": None}


def serve(rows: int) -> None:
    """The server: `rows` rows of nine columns over the last days before today."""
    from orgdata_dagster.sandbox.institution_analytics.bulk import bulk
    from orgdata_dagster.sandbox.server import serve as run

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    vendor = bulk(rows, days=DAYS, now=lambda: midnight)
    run(vendors=[vendor], announce=lambda url: print(url, flush=True))


def bare(url: str, folder: Path, days: list[str]) -> int:
    """The bare loop; returns the rows it loaded."""
    import duckdb
    import httpx

    files = []
    with httpx.Client(headers={"api-key": "sandbox-key"}, timeout=60, verify=False) as client:
        for day in days:
            start = datetime.fromisoformat(day).replace(tzinfo=UTC)
            after, before = start - timedelta(microseconds=1), start + timedelta(days=1, microseconds=-1)
            while True:
                path = folder / f"bare-{len(files)}.csv"
                query = {"data_set": "events", "updated_after": _text(after), "updated_before": _text(before)}
                with client.stream("GET", f"{url}/institution_analytics/analytics", params=query) as response:
                    response.raise_for_status()
                    with path.open("wb") as file:
                        for chunk in response.iter_bytes():
                            file.write(chunk)
                last = _last_instant(path)
                if last is None or last >= before:
                    break
                files.append(str(path))
                before = last
    connection = duckdb.connect(str(folder / "bare.duckdb"))
    connection.execute(f"CREATE TABLE events AS SELECT * FROM read_csv({files!r}, all_varchar = true, header = true)")
    count = connection.execute("SELECT count(*) FROM events").fetchone()
    connection.close()
    return count[0] if count else 0


def ours(url: str, folder: Path, days: list[str]) -> int:
    """The asset, through Dagster; returns the rows that landed."""
    import dagster as dg

    from orgdata_dagster.orchestration.resources import WarehouseResource
    from orgdata_dagster.vendors.institution_analytics.assets import DataSet, build_asset
    from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource

    vendor = InstitutionAnalyticsResource(base_url=f"{url}/institution_analytics", api_key="sandbox-key", **_SETTINGS)
    warehouse = WarehouseResource(uri=str(folder / "ours.duckdb"))
    asset = build_asset(
        DataSet("events", key=("id",)), start_date=days[0], cursor_column="updated_date", settle_seconds=10
    )
    result = dg.materialize(
        [asset],
        resources={"institution_analytics": vendor, "warehouse": warehouse},
        tags={"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]},
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )
    assert result.success
    return int(warehouse.query("SELECT count(*) AS n FROM institution_analytics.events")["n"][0])


def main() -> None:
    """Run both in turn and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=number)) for number in range(DAYS, 0, -1)]
    what = f"{options.rows:,} rows of 9 columns over {DAYS} days, pages of 20,000"
    compare(__file__, options.rows, options.rounds, days, what=what, unit="rows")


def _text(instant: datetime) -> str:
    return instant.replace(tzinfo=None).isoformat() + "Z"


def _last_instant(path: Path) -> datetime | None:
    """The instant in the last column of the last line; the rows come newest first."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 500))
        lines = file.read().splitlines()
    field = lines[-1].rpartition(b",")[2].decode() if len(lines) > 1 else ""
    return datetime.fromisoformat(field) if field[:4].isdigit() else None


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] in (["bare"], ["ours"]):
        which, url, folder, *days = sys.argv[1:]
        run = {"bare": bare, "ours": ours}[which]
        measured(lambda: run(url, Path(folder), days), MODULES, dagster=which == "ours")
    else:
        main()
