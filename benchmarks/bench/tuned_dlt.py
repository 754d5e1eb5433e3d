"""The same pulls with dlt, tuned by hand: pages as Arrow tables, extracted in parallel, loaded as Parquet.

A script. It needs the extra `bench`, or any Python with `dlt[duckdb]` and `pyarrow`:

    python tuned_dlt.py KIND URL FOLDER FIRST LAST TABLE...
"""

from __future__ import annotations

import io
import json as jsons
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    "EXTRACT__WORKERS": "4",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "4",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
}
import dlt
import pyarrow as pa
import pyarrow.csv
from bare import FIELDS, THREADS, client, days


def pages(url: str, table: str, day: date) -> Iterator[pa.Table]:
    """The pages of a day as Arrow tables."""
    after = f"{day - timedelta(days=1)}T23:59:59.999999Z"
    before = f"{day}T23:59:59.999999Z"
    texts = {name: pa.string() for name in ("user_id", "course_id", "kind", "note", "name")}
    options = pyarrow.csv.ConvertOptions(
        column_types={**texts, "id": pa.int64(), "amount": pa.decimal128(18, 2)}, strings_can_be_null=True
    )
    with client() as asking:
        while True:
            query = {"data_set": table, "updated_after": after, "updated_before": before}
            answer = asking.get(f"{url}/institution_analytics/analytics", params=query).raise_for_status()
            oldest = answer.content[-500:].splitlines()[-1].rpartition(b",")[2].decode()
            if not oldest[:4].isdigit():
                return
            yield pyarrow.csv.read_csv(io.BytesIO(answer.content), convert_options=options)
            before = (datetime.fromisoformat(oldest) - timedelta(microseconds=1)).isoformat()[:-6] + "Z"


def csv(url: str, first: str, last: str, tables: list[str]) -> list[Any]:
    def resource(table: str) -> Any:
        def rows() -> Iterator[Any]:
            for day in days(first, last):
                yield from pages(url, table, day)

        return dlt.resource(rows, name=table, parallelized=True, write_disposition="append")

    return [resource(table) for table in tables]


def json(url: str, first: str, last: str, tables: list[str]) -> list[Any]:  # noqa: ARG001
    address = f"{url}/octolis/v1/data/datasets/bulk/records"

    def rows() -> Iterator[Any]:
        with client() as asking:
            for number in range(1, 10**6):
                query = {"api-key": "sandbox-octolis-key", "page": str(number), "pageSize": "50000"}
                records = jsons.loads(asking.get(address, params=query).raise_for_status().content)["records"]
                if not records:
                    return
                yield pa.Table.from_pylist(records)

    return [dlt.resource(rows, name=tables[0], parallelized=True, write_disposition="append")]


def requests(url: str, first: str, last: str, tables: list[str]) -> list[Any]:
    asking = client()

    def resource(table: str) -> Any:
        def ask(day: date) -> list[dict[str, Any]]:
            window = {"start_date": f"{day}T00:00:00Z", "end_date": f"{day + timedelta(days=1)}T00:00:00Z"}
            query = {"channel_id": "1", "field_id": "2", "fields": FIELDS.get(table, ""), **window}
            answer = asking.get(f"{url}/channel_reports/api/v4/analytics/{table}", params=query).raise_for_status()
            found = answer.json()
            return [{**row, **window} for row in (found if isinstance(found, list) else [found])]

        def rows() -> Iterator[Any]:
            with ThreadPoolExecutor(THREADS) as pool:
                found = [row for answer in pool.map(ask, days(first, last)) for row in answer]
            yield pa.Table.from_pylist(found)

        return dlt.resource(rows, name=table, parallelized=True, write_disposition="append")

    return [resource(table) for table in tables]


def main() -> None:
    kind, url, folder, first, last, *tables = sys.argv[1:]
    file = str(Path(folder) / "dlt.duckdb")
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(file), dataset_name="main", pipelines_dir=f"{folder}/pipelines"
    )
    made = {"csv": csv, "json": json, "requests": requests}[kind](url, first, last, tables)
    pipeline.run(made, loader_file_format="parquet")


if __name__ == "__main__":
    main()
