"""The requirements that a page must meet before it is stored."""

from datetime import UTC, datetime

import pytest

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages.extents import Extent, extent
from orgdata_dagster_tests.warehouse.rig import Rig


def at(second: int, microsecond: int = 0) -> datetime:
    return datetime(2026, 3, 1, 10, 0, second, microsecond, UTC)


def test_an_extent_is_exact_to_the_microsecond_in_any_spelling(rig: Rig) -> None:
    body = "id,at\n1,2026-03-01T10:00:05Z\n2,2026-03-01T12:00:05.000001+02:00\n3,2026-03-01T10:00:04.9Z\n"
    _, reach = extent(rig.connection, rig.file(body), "at")
    assert (reach.records, reach.lowest, reach.highest) == (3, at(4, 900_000), at(5, 1))


@pytest.mark.parametrize("body", ["", "id,at\n"])
def test_an_empty_page_has_no_extent(rig: Rig, body: str) -> None:
    assert extent(rig.connection, rig.file(body), "at")[1] == Extent(0)


def test_without_a_cursor_only_records_are_counted(rig: Rig) -> None:
    assert extent(rig.connection, rig.file("id\n1\n2\n"), None)[1] == Extent(2)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("id,at\n1,\n", "no instant"),
        ("id,at\n1,2026-03-01T10:00:00Z\n2,\n", "1 of 2 rows"),
        ("id,at\n1,2026-03-01T10:00:00.1234567+00:00\n", "at most microseconds"),
        ("id,at\n1,soon\n", "'soon'"),
        ("id,at\n1,2026-03-01T10:00:00.1234567Z\n", "at most microseconds"),
        ("id,updated\n1,2\n", "no column 'at'; there are id, updated"),
        ('{"error": "try again later"}', "no column 'at'"),
        ("<html><body>Gateway</body></html>", "no column 'at'"),
        (
            "id,at\n1,2026-03-01T10:00:00Z\n2\n",
            r"not well-formed: CSV Error on Line: 3; Expected .*; Original Line: 2$",
        ),
        ("id,at\n1,2026-03-01T10:00:00Z,3\n", "not well-formed"),
        (b"id,at\n\xff,2026-03-01T10:00:00Z\n", "not UTF-8"),
    ],
)
def test_rows_without_a_valid_instant_are_refused(rig: Rig, body: str | bytes, complaint: str) -> None:
    with pytest.raises(UnreadablePage, match=complaint):
        extent(rig.connection, rig.file(body), "at")


def test_a_stage_counts_its_records_and_deletes_its_files(rig: Rig) -> None:
    stage = rig.stage("id\n1\n2\n", "", "id\n3\n")
    assert stage.records == 3
    assert len(list(rig.folder.glob("*.csv"))) == 3
    stage.discard()
    assert not list(rig.folder.glob("*.csv"))
