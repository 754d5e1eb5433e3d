"""Snapshots: which ones are stored, and what the views show of them."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.commit.snapshots import ShrinkGuard, make_views
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import Refused
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.rig import Rig

USERS = Target(TableName("acme", "users"), snapshots=True)
GUARDED = replace(USERS, key=("id",), refuse=ShrinkGuard(0.5, remedy="Say so."))
FIRST = date(2026, 3, 1)


def day(number: int) -> str:
    return str(FIRST + timedelta(days=number))


def take(rig: Rig, number: int, *rows: str, header: str = "id,name", target: Target = USERS, hour: int = 6) -> None:
    """Land the snapshot of a day."""
    at = datetime.combine(FIRST + timedelta(days=number), datetime.min.time(), UTC) + timedelta(hours=hour)
    rig.land("\n".join([header, *rows]), target=target, partition=day(number), as_of=at)


def history(rig: Rig, columns: str = "id, name") -> list[tuple[object, ...]]:
    since, until = (f"CAST({name} - DATE '{FIRST}' AS INTEGER)" for name in ("valid_from", "valid_to"))
    return rig.sql(f"SELECT {columns}, {since}, {until} FROM acme.users_history ORDER BY ALL")


def test_a_row_has_one_version_per_uninterrupted_period(rig: Rig) -> None:
    take(rig, 0, "1,Ada", "2,Bob", "3,Cyd")
    take(rig, 1, "1,Ada", "2,Rob", "3,Cyd")
    take(rig, 4, "1,Ada", "2,Rob")  # no snapshot in between: it is unknown when Cyd disappeared
    take(rig, 5, "1,Ada", "2,Bob", "3,Cyd")
    assert history(rig) == [
        (1, "Ada", 0, None),
        (2, "Bob", 0, 1),
        (2, "Bob", 5, None),
        (2, "Rob", 1, 5),
        (3, "Cyd", 0, 4),
        (3, "Cyd", 5, None),
    ]
    assert rig.sql("SELECT id, name FROM acme.users_current ORDER BY ALL") == [(1, "Ada"), (2, "Bob"), (3, "Cyd")]


def test_a_day_pulled_twice_counts_once(rig: Rig) -> None:
    take(rig, 0, "1,Ada")
    take(rig, 1, "1,Ida", hour=5)
    take(rig, 1, "1,Ada", hour=20)
    assert history(rig) == [(1, "Ada", 0, None)]


def test_a_snapshot_without_rows_ends_all_versions(rig: Rig) -> None:
    take(rig, 0, "1,Ada")
    take(rig, 1)
    assert history(rig) == [(1, "Ada", 0, 1)]
    assert rig.sql("SELECT * FROM acme.users_current") == []
    take(rig, 2, "1,Ada")
    assert history(rig) == [(1, "Ada", 0, 1), (1, "Ada", 2, None)]


def test_columns_that_appear_and_disappear(rig: Rig) -> None:
    """A new column only changes rows that have a value in it."""
    take(rig, 0, "1,Ada", "2,Bob")
    take(rig, 1, "1,Ada,x", "2,Bob,", header="id,name,more")
    take(rig, 2, "1,Ada", "2,Bob")
    assert history(rig, "id, more") == [(1, "x", 1, 2), (1, None, 0, 1), (1, None, 2, None), (2, None, 0, None)]
    assert rig.sql("SELECT id, more FROM acme.users_current ORDER BY ALL") == [(1, None), (2, None)]


def test_a_type_that_widens_changes_no_row(rig: Rig) -> None:
    take(rig, 0, "1,7", "2,8")
    take(rig, 1, "1,7", "2,08")
    assert history(rig) == [(1, "7", 0, None), (2, "08", 1, None), (2, "8", 0, 1)]


def test_a_vendors_own_column_valid_from(rig: Rig) -> None:
    take(rig, 0, "1,x", header="id,Valid_From")
    (row,) = rig.sql("SELECT Valid_From, _orgdata_valid_from, valid_to FROM acme.users_history")
    assert row == ("x", FIRST, None)


def test_other_programs_can_read_the_views(rig: Rig) -> None:
    """They open the file or the lake themselves, under any name, without orgdata's settings."""
    take(rig, 0, "1,Ada")
    with duckdb.connect() as connection:
        rig.warehouse.storage.load(connection)
        rig.warehouse.storage.attach(connection, "theirs", read_only=True)
        connection.execute("USE theirs")
        for view in ("current", "history"):
            assert connection.sql(f"SELECT count(*) FROM acme.users_{view}").fetchall() == [(1,)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(*2 * [st.sampled_from([None, "", "a"])]), max_size=5), min_size=1, max_size=6))
def test_the_history_represents_every_snapshot_with_the_fewest_versions(
    snapshots: list[list[tuple[str | None, str | None]]],
) -> None:
    """Includes rows that a snapshot has twice. Each version covers an uninterrupted period.

    There is no commit per snapshot, so that many can be tried.
    """
    with duckdb.connect() as connection:
        schema.create(connection)
        connection.execute("CREATE SCHEMA acme; CREATE TABLE acme.users (id TEXT, name TEXT, _orgdata_partition TEXT)")
        for number, rows in enumerate(snapshots):
            facts = ["acme", "users", day(number), "landed"]
            names = "schema_name, table_name, partition_key, status"
            connection.execute(f"INSERT INTO _orgdata.loads ({names}) VALUES (?, ?, ?, ?)", facts)
            for row in rows:
                connection.execute("INSERT INTO acme.users VALUES (?, ?, ?)", [*row, day(number)])
        make_views(connection, USERS)
        versions = connection.sql("SELECT id, name, valid_from, valid_to FROM acme.users_history").fetchall()
    for number, rows in enumerate(snapshots):
        now = date.fromisoformat(day(number))
        then = [row[:2] for row in versions if row[2] <= now and (row[3] is None or now < row[3])]
        assert Counter(then) == Counter(rows)
    counts = [Counter(), *map(Counter, snapshots)]  # type: ignore[var-annotated]
    assert len(versions) == sum((new - old).total() for old, new in itertools.pairwise(counts))


def test_a_much_smaller_snapshot_is_refused_and_the_old_one_stays(rig: Rig) -> None:
    take(rig, 0, *(f"{n},x" for n in range(10)), target=GUARDED)
    with pytest.raises(Refused, match=r"acme.users: the new snapshot has 4 rows, .*10 rows.*than 50%.*Say so"):
        take(rig, 1, *(f"{n},x" for n in range(4)), target=GUARDED)
    with pytest.raises(Refused, match="has 0 rows"):
        take(rig, 0, target=GUARDED, hour=9)
    assert rig.sql("SELECT _orgdata_partition, count(*) FROM acme.users GROUP BY 1") == [(day(0), 10)]
    assert rig.sql("SELECT count(*) FROM _orgdata.loads") == [(1,)]
    take(rig, 1, *(f"{n},x" for n in range(5)), target=GUARDED)
    take(rig, 2, "1,x", target=replace(GUARDED, refuse=None))
    take(rig, 3, "1,x", target=GUARDED)  # compared with the accepted snapshot


def test_a_snapshot_without_its_key_is_refused(rig: Rig) -> None:
    with pytest.raises(Refused, match=r"`key`: there is no column 'id'; did you mean 'ID no'\?.*no snapshot before"):
        take(rig, 0, "1,x", header="ID no,name", target=GUARDED)
    take(rig, 0, "1,x", header="Id,name", target=GUARDED)  # the database's names ignore case
    with pytest.raises(Refused, match=r"there are nr, name .1 rows; the last snapshot .2026-03-01. has 1 rows"):
        take(rig, 1, "1,x", header="nr,name", target=GUARDED)
    assert rig.sql("SELECT * FROM acme.users LIMIT 0") == []
    assert "nr" not in rig.types(USERS)
