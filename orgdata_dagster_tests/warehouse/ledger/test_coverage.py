from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.overview import overview
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.ledger.instants import span
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, Rig


def test_the_state_of_each_partition_in_order(rig: Rig) -> None:
    rig.land("id\n", load={"coverage": (span(3, 24), span(0, 3, "gap"))})
    rig.land("id\n", partition=None, load={"coverage": (span(0, 1),)})
    rig.land("id\n", partition="2026-03-02")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {DAY: (span(0, 3, "gap"), span(3, 24)), None: (span(0, 1),)}
        assert coverage.known(connection, TableName("acme", "others")) == {}


def test_partitions_are_complete_as_far_as_their_intervals_reach(rig: Rig) -> None:
    rig.land("id\n", load={"coverage": (span(3, 24), span(0, 3, "gap"))})
    rig.land("id\n", partition=None, load={"coverage": (span(0, 1),)})
    later = datetime.now(UTC) + timedelta(hours=1)
    with rig.warehouse.writing() as connection:  # written while the clock was ahead
        connection.execute("UPDATE _orgdata.coverage SET to_instant = ? WHERE partition_key IS NULL", [later])
    with rig.looking() as connection:
        known, reach = coverage.known(connection, ITEMS.table), coverage.reaches(connection)[ITEMS.table]
    ends = {name: parts[-1].end.timestamp() for name, parts in known.items()}
    assert reach.ends == pytest.approx(ends, abs=1)
    assert (reach.incomplete, set(reach.ends)) == ({DAY}, {DAY, None})


def test_a_database_without_a_ledger_has_no_coverage(rig: Rig) -> None:
    with rig.warehouse.writing() as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {}
        assert coverage.reaches(connection) == {}
        assert overview(connection) == []
