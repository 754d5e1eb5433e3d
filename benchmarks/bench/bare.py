"""The bare loop: a simple script that downloads files with httpx, and loads each table with one typed statement.

It has no rate limit, retries, checks or ledger, and nothing is atomic; the types are written by hand. It is a script,
so that it imports only httpx and duckdb:

    python bare.py KIND URL FOLDER FIRST LAST TABLE...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import httpx

TYPES = {
    "id": "BIGINT", "user_id": "VARCHAR", "course_id": "VARCHAR", "kind": "VARCHAR", "score": "DECIMAL(18,1)",
    "amount": "DECIMAL(18,2)", "passed": "BOOLEAN", "note": "VARCHAR", "name": "VARCHAR", "updated_date": "TIMESTAMPTZ",
}  # fmt: skip
RECORD = {
    "email": "VARCHAR", "firstname": "VARCHAR", "points": "BIGINT", "ratio": "DOUBLE", "consent_sms": "BOOLEAN",
    "born_at": "TIMESTAMP", "tags": "VARCHAR[]", "note": "VARCHAR", "__modified_at__": "TIMESTAMPTZ",
    "__masterid__": "VARCHAR", "__created_at__": "TIMESTAMPTZ", "__updated_at__": "TIMESTAMPTZ",
}  # fmt: skip
FIELDS = {
    "reports_read": "total_reads,unique_reads,report_readers,reports_seen",
    "user_awareness": "total_alerts,alert_source_reports,unique_alerts,alerts_opened",
}
_COUNT, _ACCOUNT = {"report_count": "BIGINT"}, {"account_id": "BIGINT"}
REPORTS = {
    "reports_images": {
        "report_image_id": "BIGINT", **_ACCOUNT, "report_id": "BIGINT", "created_at": "TIMESTAMPTZ",
        "styles": "STRUCT(thumb VARCHAR, medium VARCHAR)",
    },
    "reports_over_time": {
        **_ACCOUNT, "datetime_range_start": "TIMESTAMPTZ", **_COUNT, "datetime_range_width": "VARCHAR",
    },
    "reports_per_field_selection": {
        "field_id": "BIGINT", **_ACCOUNT, "name": "VARCHAR", "value": "VARCHAR", **_COUNT,
    },
    "reports_per_state": {"id": "BIGINT", "name": "VARCHAR", **_ACCOUNT, **_COUNT},
    "reports_per_user": {"user_id": "BIGINT", **_ACCOUNT, **_COUNT},
    "reports_per_day_hour": {**_ACCOUNT, "hour": "BIGINT", **_COUNT},
    "reports_per_week_day": {**_ACCOUNT, "dow": "BIGINT", **_COUNT},
    "reports_read": dict.fromkeys(("total_reads", "unique_reads", "report_readers", "reports_seen"), "BIGINT"),
    "user_awareness": {
        **dict.fromkeys(("total_alerts", "alert_source_reports", "unique_alerts", "alerts_opened"), "BIGINT"),
        "user_id": "BIGINT", "first_name": "VARCHAR", "last_name": "VARCHAR",
    },
}  # fmt: skip
THREADS = 4  # orgdata's default for this vendor


def client() -> httpx.Client:
    headers = {"api-key": "sandbox-key", "authorization": "Bearer sandbox-token", "content-type": "application/json"}
    return httpx.Client(headers=headers, timeout=120, verify=False)


def save(asking: httpx.Client, url: str, query: dict[str, str], path: Path) -> Path:
    """Download one answer to a file."""
    with asking.stream("GET", url, params=query) as answer, path.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            file.write(chunk)
    return path


def days(first: str, last: str) -> Iterator[date]:
    at = date.fromisoformat(first)
    while at <= date.fromisoformat(last):
        yield at
        at += timedelta(days=1)


def walk(asking: httpx.Client, url: str, folder: Path, table: str, day: date) -> Iterator[Path]:
    """The pages of a day, newest first: each begins below the oldest row of the one before."""
    after = f"{day - timedelta(days=1)}T23:59:59.999999Z"
    before, number = f"{day}T23:59:59.999999Z", 0
    while True:
        number += 1
        query = {"data_set": table, "updated_after": after, "updated_before": before}
        path = save(asking, f"{url}/institution_analytics/analytics", query, folder / f"{table}-{day}-{number}.csv")
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 500))
            oldest = file.read().splitlines()[-1].rpartition(b",")[2].decode()
        if not oldest[:4].isdigit():
            return
        yield path
        before = (datetime.fromisoformat(oldest) - timedelta(microseconds=1)).isoformat()[:-6] + "Z"


def csv(url: str, folder: Path, first: str, last: str, tables: list[str]) -> None:
    with client() as asking, duckdb.connect(str(folder / "bare.duckdb")) as connection:
        for table in tables:
            files = [str(page) for day in days(first, last) for page in walk(asking, url, folder, table, day)]
            with open(files[0]) as file:
                columns = {name: TYPES[name] for name in file.readline().strip().split(",")}
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv({files!r}, columns = {columns!r})")


def json(url: str, folder: Path, first: str, last: str, tables: list[str]) -> None:  # noqa: ARG001
    files: list[Path] = []
    address = f"{url}/octolis/v1/data/datasets/bulk/records"
    with client() as asking:
        while not files or files[-1].stat().st_size > 100:
            query = {"api-key": "sandbox-octolis-key", "page": str(len(files) + 1), "pageSize": "50000"}
            files.append(save(asking, address, query, folder / f"{len(files)}.json"))
    for path in files[:-1]:  # an array without its envelope loads twice as fast
        path.write_bytes(path.read_bytes()[len(b'{"records":') : -1])
    pages = [str(path) for path in files[:-1]]
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        connection.execute(
            f"CREATE TABLE {tables[0]} AS SELECT * FROM read_json({pages!r}, format = 'array', columns = {RECORD!r})"
        )


def requests(url: str, folder: Path, first: str, last: str, tables: list[str]) -> None:
    with client() as asking, ThreadPoolExecutor(THREADS) as pool:

        def ask(what: tuple[str, date]) -> None:
            table, day = what
            window = {"start_date": f"{day}T00:00:00Z", "end_date": f"{day + timedelta(days=1)}T00:00:00Z"}
            query = {"channel_id": "1", "field_id": "2", "fields": FIELDS.get(table, ""), **window}
            save(asking, f"{url}/channel_reports/api/v4/analytics/{table}", query, folder / f"{table}-{day}.json")

        list(pool.map(ask, [(table, day) for table in tables for day in days(first, last)]))
    with duckdb.connect(str(folder / "bare.duckdb")) as connection:
        for table in tables:
            files = [str(folder / f"{table}-{day}.json") for day in days(first, last)]
            shape = "unstructured" if table == "reports_read" else "array"
            source = f"read_json({files!r}, format = '{shape}', columns = {REPORTS[table]!r}, filename = true)"
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {source}")


if __name__ == "__main__":
    kind, url, folder, first, last, *tables = sys.argv[1:]
    {"csv": csv, "json": json, "requests": requests}[kind](url, Path(folder), first, last, tables)
