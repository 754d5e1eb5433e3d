"""A vendor repeats the key in an answer of status 200 that is not data: messages about it have no part of the key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from orgdata_dagster.http import redaction
from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.metadata import cell
from orgdata_dagster.orchestration.assets.readers import csv_reader, json_reader
from orgdata_dagster.vendors.together.report import unwrap

KEY = "-".join(["sk", "canary", "0123456789abcdefghij"])

Read = Callable[[Download, duckdb.DuckDBPyConnection], Any]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def read_csv(download: Download, connection: duckdb.DuckDBPyConnection) -> object:
    return csv_reader(connection, "updated_date")(download)


def read_json(download: Download, connection: duckdb.DuckDBPyConnection) -> object:
    return json_reader(connection, records="records")(download)


def read_array(download: Download, connection: duckdb.DuckDBPyConnection) -> object:
    return json_reader(connection)(download)


def read_report(download: Download, _: object) -> object:
    return unwrap(download.path, download.path.with_suffix(".csv"))


BODIES: dict[str, Callable[[str], str]] = {
    "text": lambda text: text,
    "object": lambda text: json.dumps({"error": text}),
    "array": lambda text: json.dumps([text]),
    "records": lambda text: json.dumps({"records": [text]}),
    "header": lambda text: f"{text},b\n1,2\n",
    "cut": lambda text: f'{{"error": "{text[:-9]}',
    "report": lambda text: json.dumps({"report": {"no": text}}),
}


@pytest.mark.parametrize("read", [read_csv, read_json, read_array, read_report])
@pytest.mark.parametrize("kind", BODIES)
def test_no_part_of_it_is_quoted(tmp_path: Path, connection: duckdb.DuckDBPyConnection, read: Read, kind: str) -> None:
    redaction.register(KEY)
    path, quoted = tmp_path / "body", []
    for before in (0, *range(15, 75, 4), 90, 290, 480):
        path.write_text(BODIES[kind]("." * before + KEY))
        try:
            read(Download(path, 200, httpx.Headers(), 1, None, 0, 1, "/x"), connection)
        except BadBody as error:
            quoted.append(str(error))
    assert [text for text in quoted if KEY[:8] in text or KEY[-8:] in text] == []
    assert quoted or (read, kind) in (
        (read_array, "object"),
        (read_array, "records"),
        (read_array, "report"),
        (read_json, "records"),
    )


def test_a_preview_shows_no_part_of_it() -> None:
    redaction.register(KEY)
    for before in range(70):
        assert KEY[:5] not in cell("." * before + KEY + "." * 50)
