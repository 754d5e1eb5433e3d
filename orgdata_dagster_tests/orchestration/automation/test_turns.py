"""Vendors take turns: a vendor with many tables does not push the others to the end of the queue."""

import dagster as dg

from orgdata_dagster.orchestration.automation.turns import in_turns, turn_tag
from orgdata_dagster.orchestration.tags import PRIORITY_TAG


def test_assets_are_ordered_in_turns() -> None:
    keys = [
        dg.AssetKey([vendor, table]) for vendor, tables in (("a", "123"), ("b", "1"), ("c", "12")) for table in tables
    ]
    assert ["".join(key.path) for key in in_turns(keys)] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert in_turns([]) == []


def test_a_vendors_later_runs_have_lower_priorities() -> None:
    assert [turn_tag(turn) for turn in range(3)] == [{}, {PRIORITY_TAG: "-1"}, {PRIORITY_TAG: "-2"}]
