from dataclasses import replace
from typing import Any

import pytest

from orgdata_dagster.warehouse.ledger.overview import missing_days, overview
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.ledger.instants import hour, span
from orgdata_dagster_tests.warehouse.rig import ITEMS, Rig


def by_table(rig: Rig) -> dict[str, dict[str, Any]]:
    with rig.looking() as connection:
        return {str(row["table_name"]): row for row in overview(connection)}


def test_the_overview_only_counts_complete_days(rig: Rig) -> None:
    days = {
        "2026-03-01": (span(0, 24),),
        "2026-03-02": (span(24, 40), span(40, 41, "a gap"), span(41, 48)),
        "2026-03-03": (span(48, 60),),
    }
    for day, parts in days.items():
        rig.land("id\n1\n", partition=day, load={"coverage": parts})
    rig.land("id\n1\n", partition=None, target=replace(ITEMS, table=TableName("acme", "others")))
    rows = by_table(rig)
    items = rows["items"]
    assert (items["partitions"], items["days_complete"], items["complete_until"]) == (3, 1, hour(60))
    assert (items["incomplete"], items["covered"]) == (["2026-03-02"], list(days))
    assert (rows["others"]["days_complete"], rows["others"]["covered"]) == (0, None)


def test_a_day_is_complete_if_all_its_parts_are(rig: Rig) -> None:
    rig.land("id\n1\n", load={"coverage": (span(0, 10), span(10, 24))})
    assert by_table(rig)["items"]["days_complete"] == 1


@pytest.mark.parametrize(
    ("covered", "missing"),
    [
        ([], []),
        (["2026-03-01"], []),
        (["2026-02-27", "2026-03-02"], ["2026-02-28", "2026-03-01"]),
        (["2026-03-03", "2026-03-01", "2026-03-02"], []),
    ],
)
def test_the_missing_days_between_two_loaded_ones(covered: list[str], missing: list[str]) -> None:
    assert missing_days(covered) == missing
