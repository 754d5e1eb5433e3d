"""The YAML of a sync: its asset, its names, its schedule. The destination is a SQLite table."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
import yaml

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster_tests.integration.home import Home

SHOP: dict[str, Any] = {
    "type": "orgdata_dagster_tests.writeback.sqlite_table.SqliteSync",
    "attributes": {
        "name": "people_out",
        "source": "SELECT id, name FROM marts.people",
        "file": "shop.sqlite",
        "table": "people",
        "key": ["id"],
        "cron": "0 * * * *",
    },
}


def test_any_vendor_can_have_a_sync(new_home: Home) -> None:
    new_home.write_project(shop=yaml.safe_dump(SHOP))
    loaded, key = loaded_project.load(), dg.AssetKey(["shop", "people_out_table"])
    assert loaded.sync("people_out") == key
    node = loaded.defs.resolve_asset_graph().get(key)
    assert {parent.to_user_string() for parent in node.parent_keys} == {"marts/people"}
    assert (node.group_name, node.pools) == ("shop", {"shop"})
    assert node.description == (
        "Keeps table `people` equal to its source. The result of each row: `shop.people_out_results`."
    )
    assert "shop_people_out_table_due" in {schedule.name for schedule in loaded.defs.schedules or ()}
    assert loaded.resources["shop_file"].path == "shop.sqlite"


def test_the_name_of_a_sync_is_unique_across_vendors(new_home: Home) -> None:
    """Sent rows are stored by the name of their sync, and `orgdata sync` starts a sync by its name."""
    octolis = {
        "type": "orgdata_dagster.OctolisSync",
        "attributes": {"name": "people_out", "dataset": "d", "key": ["id"], "source": "marts.people"},
    }
    new_home.write_project(shop=yaml.safe_dump(SHOP), octolis=yaml.safe_dump(octolis))
    with pytest.raises(UserError, match=r"the sync syncs\.people_out would be the same as the sync"):
        loaded_project.load()
