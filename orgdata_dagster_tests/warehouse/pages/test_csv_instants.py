"""The instants that are read from the bytes of a CSV file equal those that the database reads."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.pages import csv_instants, extents
from orgdata_dagster.warehouse.pages.csv_instants import plain

HEAD = "id,note,at\n"
GOOD = "2026-01-02T03:04:05.123456Z"


def _written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _spelled(chance: random.Random) -> str:
    at = datetime(1960, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.randrange(100 * 366 * 86_400_000_000))
    digits = chance.randrange(7)
    fraction = f".{at.microsecond:06d}"[: digits + 1] if digits else ""
    return f"{at:%Y-%m-%d}{chance.choice('T ')}{at:%H:%M:%S}{fraction}Z"


def test_both_ways_of_measuring_a_page_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Includes any number of digits, years before 1970, leap days, and lines that continue in the next chunk."""
    monkeypatch.setattr(csv_instants, "CHUNK", 1_000)
    chance = random.Random(1)
    spelled = ["2024-02-29T23:59:59Z", *(_spelled(chance) for _ in range(2_000))]
    rows = "".join(f"{number},{'é' * (number % 3)},{at}\n" for number, at in enumerate(spelled))
    path = _written(tmp_path / "page.csv", HEAD + rows)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert plain(path, 3, 2) is not None
        page, quick = extents.extent(connection, path, "at")
        monkeypatch.setattr(csv_instants, "plain", lambda *_: None)
        scanned, parsed = extents.extent(connection, path, "at")
    assert (page, quick) == (scanned, parsed)
    assert len(quick.bottom) == len(quick.top) == 100


@pytest.mark.parametrize("unit", extents.UNITS)
def test_the_unit_is_the_largest_that_divides_all_instants(tmp_path: Path, unit: timedelta) -> None:
    start = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    at = [(start + number * unit).isoformat(timespec="microseconds").replace("+00:00", "Z") for number in range(3)]
    path = _written(tmp_path / "page.csv", HEAD + "".join(f"1,,{each}\n" for each in at))
    with duckdb.connect() as connection:
        assert extents.extent(connection, path, "at")[1].unit == unit


@pytest.mark.parametrize(
    "lines",
    [
        f'1,"quoted",{GOOD}\n',
        f"1,{GOOD}\n",  # a field is missing
        f"1,x,{GOOD}\n2,{GOOD}\n3,x,y,{GOOD}\n",  # and another line has one too many
        f"1,x,{GOOD}\n\n\n\n",
        f"1,x,{GOOD}\n2,x,\n",
        "1,x,2026-02-30T00:00:00Z\n",
        "1,x,2026-13-01T00:00:00Z\n",
        "1,x,2026-01-01T24:00:00Z\n",
        "1,x,2026-01-01T00:60:00Z\n",
        "1,x,0000-01-01T00:00:00Z\n",
        "1,x,2026-01-01T00:00:00.Z\n",
        "1,x,2026-01-01T00:00:00.1234567Z\n",
        "1,x,2026-01-01T00:00:00+01:00\n",
        "1,x,2026-01-01T00:00:00.1234\n",
        "1,x,2026-01-01T0a:00:00Z\n",
        "1,x,2026/01/01T00:00:00Z\n",
        f"1,\xff,{GOOD}\n".encode("latin-1"),
    ],
)
def test_unusual_files_are_left_to_the_parser(tmp_path: Path, lines: str | bytes) -> None:
    text = lines if isinstance(lines, bytes) else lines.encode()
    assert plain(_written(tmp_path / "page.csv", HEAD.encode() + text), 3, 2) is None


@pytest.mark.parametrize("text", [f"id,at\r\n1,{GOOD}\r\n", f"at,id\n{GOOD},1\r2\n", f"\ufeffid,at\n1,{GOOD}\n"])
def test_a_file_that_has_to_be_rewritten_is_not_plain(tmp_path: Path, text: str) -> None:
    assert plain(_written(tmp_path / "page.csv", text), 2, int(text.startswith(("id", "\ufeff")))) is None


def test_the_longest_line_is_known_also_if_it_continues_in_the_next_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_instants, "CHUNK", 1_000)
    long = f"2,{'x' * 5_000},{GOOD}\n"
    found = plain(_written(tmp_path / "page.csv", f"{HEAD}1,,{GOOD}\n{long}3,,{GOOD}\n"), 3, 2)
    assert found is not None
    assert found.longest == len(long)


def test_the_first_column_and_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    path = _written(tmp_path / "page.csv", "at,id\n1970-01-01T00:00:01Z,1\n1969-12-31T23:59:59.999999Z,2")
    found = plain(path, 2, 0)
    assert found is not None
    assert found.instants.tolist() == [1_000_000, -1]
