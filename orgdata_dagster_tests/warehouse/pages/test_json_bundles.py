"""Small JSON pages that stay in memory have the same rows as pages in files, without a file each."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages import json_bundles
from orgdata_dagster.warehouse.pages.json_pages import ARRAY, OBJECT, JsonPage, prepare
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage

PLAIN = [
    b'[{"id": 1, "name": "a\\nb \\u00e9", "sum": 1.10}, {"id": 2, "name": null}]',
    b'[\n{"id": 12345678901234567890123,\r\n"name": "", "sum": 0.1000000000000000000001}\n]',
    b'[{"id": "1", "tags": ["x", {"y": 2}], "ok": true, "page": 7, "records": "r"}]',
    b"[{}, {}]",
    b"[]",
]
SHAPES = {
    "plain": (PLAIN, ARRAY, (), ()),
    "objects": ([b'{"total": 3, "x": {"y": 1}}', b'\xef\xbb\xbf {"total": 4}\n', b'{"total": 1e400}'], OBJECT, (), ()),
    "envelope": ([b'{"n": 1, "data": [{"id": 1}]}', b'{"data": [{"id": 2}], "n": 2}'], "data", (), ()),
    "flattened": ([b'[{"id": 1, "styles": {"thumb": "a", "big/one": null}}]', b'[{"id": 2}]'], ARRAY, ("styles",), ()),
    "key": ([b'[{"id": 1}]', b'[{"id": 2}]'], ARRAY, (), ("id",)),
    "key of two types": ([b'[{"id": 1}]', b'[{"id": "2"}]'], ARRAY, (), ("id",)),
    "names in two cases": ([b'[{"id": 1, "ID": 2}]', b'[{"Id": 3}]'], ARRAY, (), ()),
    "a name that is empty": ([b'[{"": 1}]', b'[{"a": 2}]'], ARRAY, (), ()),
    "one page": (PLAIN[:1], ARRAY, (), ()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rows_are_those_of_files(tmp_path: Path, shape: str) -> None:
    bodies, records, flatten, key = SHAPES[shape]
    with duckdb.connect() as connection:
        found = [
            _rows(connection, _pages(connection, tmp_path / place, bodies, records, flatten, key, in_memory))
            for place, in_memory in (("files", False), ("memory", True))
        ]
    assert found[0] == found[1]
    assert found[0][1].total() > 0


def _pages(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    bodies: list[bytes],
    records: str,
    flatten: tuple[str, ...],
    key: tuple[str, ...],
    in_memory: bool,
) -> list[JsonPage]:
    folder.mkdir()
    pages = []
    for number, body in enumerate(bodies):
        path = folder / f"{number}'.json"
        if not in_memory:
            path.write_bytes(body)
        content = body if in_memory else None
        made = prepare(path, connection, records=records, flatten=flatten, content=content)
        pages.append(made.with_key(key) if key else made)
    assert not in_memory or not list(folder.iterdir())
    return pages


def _rows(connection: duckdb.DuckDBPyConnection, pages: list[JsonPage]) -> tuple[Any, ...]:
    reading = JsonPage.reading([page for page in pages if page.records])
    found = connection.execute(f"SELECT * FROM {reading.source}")
    names = [column[0] for column in found.description or ()]
    rows = Counter(
        tuple(
            sorted(
                (name, Path(value).name if "file" in name else value) for name, value in zip(names, row, strict=True)
            )
        )
        for row in found.fetchall()
    )
    known = [(page.records, dict(page.values), json.loads(page.array)) for page in pages]
    return names, rows, known, reading.columns, reading.kinds, reading.own


def test_a_stage_deletes_the_files_that_it_wrote_for_its_queries(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        stage = Stage(connection)
        for page in _pages(connection, tmp_path / "pages", PLAIN, ARRAY, (), (), in_memory=True):
            stage.add(StagedPage(page))
        assert {"id", "name"} <= stage.columns.keys()
        assert [path.suffix for path in (tmp_path / "pages").iterdir()] == [".ndjson"]
        stage.discard()
    assert not list((tmp_path / "pages").iterdir())


@pytest.mark.parametrize("body", [b'{"a": 1}, {"a": 2}', b'{"a": 1}]', b'[{"a": 1}', b'{"a": 1} {"b": 2}', b"", b"{"])
@pytest.mark.parametrize("records", [ARRAY, OBJECT])
def test_a_body_that_is_cut_or_continues_is_refused(tmp_path: Path, body: bytes, records: str) -> None:
    with duckdb.connect() as connection, pytest.raises(UnreadablePage):
        prepare(tmp_path / "page", connection, records=records, content=body)


def test_a_small_page_fits_into_a_line(tmp_path: Path) -> None:
    """Also if each of its numbers is put into quotes."""
    body = b"[{" + b", ".join([b'"%d": 1e400' % number for number in range(1150)]) + b"}]"
    assert json_bundles.SMALL * 0.9 < len(body) < json_bundles.SMALL
    with duckdb.connect() as connection:
        pages = [prepare(tmp_path / name, connection, content=body) for name in "ab"]
        assert connection.execute(f"SELECT count(*) FROM {JsonPage.reading(pages).source}").fetchone() == (2,)
