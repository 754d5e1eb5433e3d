"""The ledger has days, partitions, tables and vendors that are no longer configured: nothing fails.

When `start_date` once moved past loaded days, `catch_up` failed for all vendors, and the doctor failed too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster.orchestration.automation.gaps import missing_partitions
from orgdata_dagster.orchestration.partitions import by_grain, daily, day_bounds
from orgdata_dagster.overview.table_statuses import TableStatus
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.ledger.coverage import Reach
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.looking import looked_at
from orgdata_dagster_tests.integration.project import institution_analytics, today

USERS = "institution_analytics/users"


def status_of_users(home: Home) -> TableStatus:
    """The entry of `users` in `orgdata status`; also checks that everything else that reads the ledger works."""
    return looked_at(home, wrong="checks")[0]["institution_analytics.users"]


def test_a_later_start_date_counts(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    assert home.materialize(USERS, today(back=4), today(back=3)).success
    home.write_project(institution_analytics=institution_analytics(start_date=today(back=1)))
    status = status_of_users(home)
    assert (status.missing_partitions, status.first_day) == ([], today(back=4))
    assert status.notes == ["has 2 days before its start_date; they are kept"]
    assert home.materialize(USERS, today()).success  # with its checks
    assert status_of_users(home).missing_partitions == []


def test_a_removed_table_and_a_dropped_one_are_named(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    assert home.materialize(USERS, today(back=1)).success
    attribute = "tables" if "tables:" in institution_analytics() else "data_sets"
    home.write_project(institution_analytics=institution_analytics(**{attribute: [{"name": "courses"}]}))
    assert status_of_users(home).notes == ["is no longer in the configuration; its rows are kept"]
    with home.warehouse.writing() as connection:
        connection.execute("DROP TABLE institution_analytics.users CASCADE")
    status = status_of_users(home)
    assert (status.rows, len(status.notes)) == (0, 2)
    home.write_project(institution_analytics=institution_analytics())
    assert home.materialize(USERS, today(back=1)).success
    assert status_of_users(home).notes == []


def covered(first: str, last: str) -> Reach:
    span = (date.fromisoformat(last) - date.fromisoformat(first)).days
    days = [str(date.fromisoformat(first) + timedelta(days=number)) for number in range(span + 1)]
    return Reach({day: day_bounds(day)[1].timestamp() for day in days})


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        (daily("2026-03-01"), []),
        (daily("2026-03-09"), []),  # moved later
        (daily("2026-03-20"), []),  # beyond all that landed
        (daily("2030-01-01"), []),  # not begun yet
        (by_grain("week", "2026-03-01"), ["2026-02-23", "2026-03-02"]),  # were days: no week is covered to its end
        (by_grain("month", "2026-01-01"), []),  # the only month has not ended
    ],
)
def test_stored_partitions_of_another_kind_are_ignored(
    partitions: dg.TimeWindowPartitionsDefinition, expected: list[str]
) -> None:
    key, now = dg.AssetKey(["vendor", "table"]), datetime(2026, 3, 11, 12, tzinfo=UTC)
    with in_memory() as instance:
        assert (
            missing_partitions(instance, key, "days", partitions, covered("2026-03-01", "2026-03-10"), now) == expected
        )
        assert missing_partitions(instance, key, "whole", None, covered("2026-03-01", "2026-03-10"), now) == []
