from datetime import UTC, datetime, timedelta

from orgdata_dagster.warehouse.ledger.loads import last_columns
from orgdata_dagster.warehouse.ledger.retention import prune
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig


def test_the_last_known_columns_are_kept(rig: Rig) -> None:
    """Only the newest load was once kept. If it had no rows, a frozen table then accepted any column."""
    rig.land("id,v\n1,a\n")
    rig.land("id,v\n1,b\n")
    rig.land("id,v\n")
    later = datetime.now(UTC) + timedelta(days=1)
    with rig.warehouse.transaction() as connection:
        assert prune(connection, requests_before=later, loads_before=later).loads == 1
        assert last_columns(connection, ITEMS.table) == {"id", "v"}
