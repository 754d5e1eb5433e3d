from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.overview import overview
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.ledger.instants import span
from orgdata_dagster_tests.warehouse.rig import DAY, ITEMS, Rig


def test_what_is_known_of_each_partition_in_order(rig: Rig) -> None:
    rig.land("id\n", load={"coverage": (span(3, 24), span(0, 3, "gap"))})
    rig.land("id\n", partition=None, load={"coverage": (span(0, 1),)})
    rig.land("id\n", partition="2026-03-02")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {DAY: (span(0, 3, "gap"), span(3, 24)), None: (span(0, 1),)}
        assert coverage.known(connection, TableName("acme", "others")) == {}


def test_a_database_of_somebody_else_has_no_coverage(rig: Rig) -> None:
    with rig.warehouse.writing() as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with rig.looking() as connection:
        assert coverage.known(connection, ITEMS.table) == {}
        assert overview(connection) == []
