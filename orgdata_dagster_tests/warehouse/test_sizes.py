"""Wide tables and large records, within the default memory of a small machine."""

import json
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest

from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.commit.target import PartitionLoad
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.errors import RecordTooLarge
from orgdata_dagster.warehouse.pages import csv_pages, json_bytes, json_pages, record_size
from orgdata_dagster.warehouse.pages.extents import extent, measure
from orgdata_dagster.warehouse.pages.page import Page
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster.warehouse.storage import memory
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, NOON, Rig

VALUES = ("text", "7", "1.25", "true", "2026-01-02T03:04:05Z")
TYPES = ("VARCHAR", "BIGINT", "DECIMAL(18,2)", "BOOLEAN", "TIMESTAMP WITH TIME ZONE")


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    monkeypatch.setattr(memory, "of_machine", lambda: 1 << 30)


def prepared(rig: Rig, connection: duckdb.DuckDBPyConnection, kind: str, rows: list[dict[str, str]]) -> Page:
    names = list(rows[0])
    if kind == "csv":
        lines = [names, *([row[name] for name in names] for row in rows)]
        return extent(connection, rig.file("".join(",".join(line) + "\n" for line in lines)), None)[0]
    page = json_pages.prepare(rig.file(json.dumps(rows)), connection)
    measure(connection, page, None)
    return page


def land(rig: Rig, kind: str, rows: list[dict[str, str]], expected: MappingProxyType[str, str] | None = None) -> None:
    with rig.warehouse.scratch_connection() as connection:
        stage = Stage(connection, expected=expected or {})
        ready = ReadyRows(stage, ITEMS)
        ready.add(StagedPage(prepared(rig, connection, kind, rows), DAY))
        commit(rig.warehouse, ITEMS, stage, [PartitionLoad(DAY, NOON)], run_id="run", ready=[ready])


@pytest.mark.usefixtures("small_machine")
def test_2000_columns_can_be_loaded_twice(rig: Rig) -> None:
    """Memory and statements once grew so fast with the number of columns that 250 columns were too many."""
    row = {f"c{at}": VALUES[at % 5] for at in range(2_000)}
    land(rig, "csv", [row])
    assert list(rig.types().values()) == [TYPES[at % 5] for at in range(2_000)]
    land(rig, "csv", [row, row | {"c0": "other", "c1": "eight"}], MappingProxyType(rig.types()))
    assert rig.types()["c1"] == "VARCHAR"
    assert rig.sql("SELECT c0, c1, c2::VARCHAR, c1999::VARCHAR FROM acme.items ORDER BY c0") == [
        ("other", "eight", "1.25", "2026-01-02 03:04:05+00"),
        ("text", "7", "1.25", "2026-01-02 03:04:05+00"),
    ]


@pytest.mark.usefixtures("small_machine")
def test_2000_columns_of_json_can_be_loaded(rig: Rig) -> None:
    land(rig, "json", [{f"c{at}": VALUES[at % 5] for at in range(2_000)}])
    assert len(rig.types()) == 2_000
    assert rig.sql("SELECT c0, c1, c4::VARCHAR FROM acme.items") == [("text", "7", "2026-01-02 03:04:05+00")]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_wide_page_is_parsed_once(rig: Rig, kind: str) -> None:
    """A page was once parsed again for every hundred columns: a minute for 3,000 rows of 2,000 columns."""
    rows = [{f"c{at}": (VALUES[at % 5], "y", "x")[number] for at in range(300)} for number in range(3)]
    with rig.warehouse.scratch_connection() as connection:
        stage = Stage(connection)
        stage.add(StagedPage(page := prepared(rig, connection, kind, rows), DAY))
        page.path.unlink()
        commit(rig.warehouse, ITEMS, stage, [PartitionLoad(DAY, NOON)], run_id="run")
    assert rig.sql("SELECT c0, c299 FROM acme.items ORDER BY ALL") == [("text", VALUES[4]), ("x", "x"), ("y", "y")]


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_field_of_20_mb_can_be_loaded(rig: Rig, kind: str) -> None:
    long = "ab cd " * (20_000_000 // 6)
    land(rig, kind, [{"id": "1", "note": "short"}, {"id": "2", "note": long}, {"id": "3", "note": ""}])
    found = rig.sql(
        "SELECT id::VARCHAR, length(note), md5(note) = md5(repeat('ab cd ', 3333333)) FROM acme.items ORDER BY 1"
    )
    assert [(key, length or 0) for key, length, _ in found] == [("1", 5), ("2", len(long)), ("3", 0)]
    assert found[1][2] is True


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("column", ["id", "note", "last"])
def test_a_larger_record_fails_with_its_column_its_size_and_the_limit(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, kind: str, column: str
) -> None:
    for module in (record_size, csv_pages, json_bytes):
        monkeypatch.setattr(module, "LARGEST_RECORD", 2 << 20)
    row = {"id": "1", "note": "plain", "last": "x"}
    rows = [row] * 5 + [row | {column: "y" * (3 << 20)}] + [row] * 5
    with pytest.raises(RecordTooLarge, match=rf"the value of column '{column}' has 3 MB; the limit is 2 MB"):
        prepared(rig, rig.connection, kind, rows)


def test_the_longest_line_is_never_underestimated(tmp_path: Path) -> None:
    """The parser's buffers have this size: a longer line would be an error."""
    for size in (1, (1 << 20) - 3, 1 << 20, (1 << 20) + 1, 3 << 20):
        for quote in ("", '"'):
            path = tmp_path / "page.csv"
            path.write_text(f"id,note\n1,x\n2,{quote}{'y' * size}{quote}\n3,z\n")
            assert csv_pages.prepare(path).longest >= size + 3 + 2 * len(quote)
