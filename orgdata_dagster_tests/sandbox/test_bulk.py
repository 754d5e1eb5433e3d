from datetime import UTC, datetime

import pytest

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.institution_analytics.bulk import BulkDataSet
from orgdata_dagster_tests.sandbox.reading import parse

END = instants.from_datetime(datetime(2026, 3, 2, tzinfo=UTC))
ROWS = 25_000  # more than two chunks


@pytest.fixture(scope="module")
def data_set() -> BulkDataSet:
    return BulkDataSet(ROWS, END, instants.DAY)


def test_walking_back_by_pages_gives_every_row_once(data_set: BulkDataSet) -> None:
    before, found = END, []
    while rows := parse((data_set.header + data_set.page(0, before, 7_000).body).decode()):
        found += rows
        before = instants.from_text(rows[-1]["updated_date"] or "") - 1
    assert found == data_set.truth()
    assert [r["id"] for r in found] == [str(n) for n in range(ROWS, 0, -1)]


def test_borders_are_those_of_the_document(data_set: BulkDataSet) -> None:
    dates = [instants.from_text(r["updated_date"] or "") for r in data_set.truth()]
    after, before = dates[50], dates[10]
    assert data_set.page(after, before, 10**6).rows == 40
    assert data_set.page(after - 1, before, 10**6).rows == 41
    assert data_set.page(after, before - 1, 10**6).rows == 39
    assert data_set.page(before, after, 10**6).rows == 0


def test_rows_have_the_size_benchmarks_are_about(data_set: BulkDataSet) -> None:
    assert 80 < len(data_set.page(0, END, ROWS).body) / ROWS < 100
    assert data_set.header.count(b",") == 8


def test_more_rows_than_microseconds_are_refused() -> None:
    with pytest.raises(ValueError, match="microseconds"):
        BulkDataSet(11, END, 10)
