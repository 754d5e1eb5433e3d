"""Which tables a source reads."""

from __future__ import annotations

import pytest

from orgdata_dagster.writeback.source import tables


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("marts.contacts", [("marts", "contacts")]),
        ('"marts"."odd name"', [("marts", "odd name")]),
        ("from a.b union all select (select max(x) from c.d), * from e", [("a", "b"), ("c", "d"), ("e",)]),
        ("with b as (select * from a.b) select * from b join c.b using (x)", [("a", "b"), ("c", "b")]),
        ("select * from marts.stock_current", [("marts", "stock_current")]),
        ("select 'from x.y' as text -- from z", []),
    ],
)
def test_the_tables_of_a_source_are_its_upstream_assets(source: str, found: list[tuple[str, ...]]) -> None:
    assert sorted(tables(source)) == sorted(found)
