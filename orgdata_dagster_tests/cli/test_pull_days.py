"""The days that `orgdata pull` requests from a table: only those that it has."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from orgdata_dagster.cli.pull import task_of
from orgdata_dagster.orchestration.partitions import by_grain, daily


@pytest.mark.parametrize(
    ("partitions", "first", "last"),
    [
        (daily("2026-11-20"), "2026-11-20", "2026-11-22"),
        (daily("2026-11-01"), "2026-11-10", "2026-11-22"),
        (by_grain("week", "2026-11-18"), "2026-11-16", "2026-11-16"),
        (None, None, None),
    ],
)
def test_a_table_is_pulled_from_its_start_on(
    partitions: dg.PartitionsDefinition | None, first: str | None, last: str | None
) -> None:
    """A partition before the start was an error of Dagster, and failed the table."""
    task = task_of(dg.AssetKey(["vendor", "table"]), date(2026, 11, 10), date(2026, 11, 22), partitions)
    assert (task.first, task.last) == (first, last)
