"""The YAML of syncs: the definitions made from it, and invalid options."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
import yaml
from pydantic import ValidationError

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.vendors.octolis.sync.component import OctolisSync
from orgdata_dagster.vendors.octolis.sync.webhook import OctolisWebhook
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today
from orgdata_dagster_tests.runs import created, ended

READ: dict[str, Any] = {"type": "orgdata_dagster.Octolis", "attributes": {
    "tables": [{"name": "contacts", "id": "5f1c"}, {"name": "vip", "id": "5f1c"}, {"name": "others", "id": "77aa"}],
    "limits": {"points_per_second": 50},
}}  # fmt: skip
SYNC: dict[str, Any] = {"type": "orgdata_dagster.OctolisSync", "attributes": {
    "name": "out", "dataset": "contacts", "key": ["email"], "cron": "0 * * * *",
    "source": "with x as (select * from marts.contacts) select * from x join octolis.contacts_current using (email)",
}}  # fmt: skip
HOOK: dict[str, Any] = {"type": "orgdata_dagster.OctolisWebhook", "attributes": {
    "name": "news", "webhook_id": "b1f3", "method": "PUT", "source": "marts.news", "headers": {"x-source": "orgdata"},
    "on_update": True,
}}  # fmt: skip


def test_a_project_that_reads_and_writes(new_home: Home) -> None:
    new_home.write_project(octolis=yaml.safe_dump_all([READ, SYNC, HOOK]))
    loaded = loaded_project.load()
    graph = loaded.defs.resolve_asset_graph()
    sync, hook = dg.AssetKey(["octolis", "out_sync"]), dg.AssetKey(["octolis", "news_webhook"])
    assert {key.to_user_string() for key in graph.get(sync).parent_keys} == {"marts/contacts", "octolis/contacts"}
    assert {key.to_user_string() for key in graph.get(hook).parent_keys} == {"marts/news"}
    assert graph.get(hook).automation_condition is not None
    assert "octolis_out_sync_due" in {schedule.name for schedule in loaded.defs.schedules or ()}  # type: ignore[union-attr]
    assert loaded.resources["octolis"].limits.points_per_second == 50  # what reading says holds for writing

    assert [key.path[-1] for key in loaded.keys] == ["contacts", "others", "vip"]  # no pull writes
    assert (loaded.sync("out"), loaded.sync("octolis/news_webhook")) == (sync, hook)
    with pytest.raises(UserError, match="run `orgdata sync out`"):
        loaded.select("octolis/out_sync")
    with pytest.raises(UserError, match="known: news, out"):
        loaded.sync("in")


def test_on_update_means_whenever_a_table_of_the_source_landed(new_home: Home) -> None:
    """Evaluated as the sensor `downstream` does at its ticks."""
    source = "select id as email from institution_analytics.users join octolis.contacts using (id)"
    sync = {**SYNC, "attributes": {**SYNC["attributes"], "source": source, "cron": None, "on_update": True}}
    new_home.write_project(
        octolis=yaml.safe_dump_all([READ, sync]), institution_analytics=institution_analytics(start_date=today(back=2))
    )
    new_home.set(OCTOLIS_API_KEY="a key")
    loaded, out = loaded_project.load(), dg.AssetKey(["octolis", "out_sync"])
    with new_home.instance() as instance:
        cursor = None

        def requested(*landed: dg.AssetMaterialization) -> int:
            nonlocal cursor
            for event in landed:
                instance.report_runless_asset_event(event)
            tick = dg.evaluate_automation_conditions(defs=loaded.defs, instance=instance, cursor=cursor)
            cursor = tick.cursor
            assert tick.total_requested == tick.get_num_requested(out)  # of what is pulled, nothing
            if tick.total_requested:
                ended(instance, loaded.job, created(instance, loaded.job, out))
            return tick.total_requested

        users, contacts = dg.AssetKey(["institution_analytics", "users"]), dg.AssetKey(["octolis", "contacts"])
        assert requested() == 0
        assert requested(dg.AssetMaterialization(contacts)) == 1
        assert requested() == 0
        days = [dg.AssetMaterialization(users, partition=today(back)) for back in (1, 0)]
        assert requested(*days) == 1
        assert requested() == 0
        assert requested(days[1], dg.AssetMaterialization(["octolis", "others"])) == 1  # the same day again
        assert requested(dg.AssetMaterialization(["octolis", "others"])) == 0  # not of the source


def test_two_syncs_need_different_names(new_home: Home) -> None:
    again = {**HOOK, "attributes": {**HOOK["attributes"], "name": "out"}}
    new_home.write_project(octolis=yaml.safe_dump_all([READ, SYNC, again]))
    with pytest.raises(UserError, match=r"the table of results of 'out', octolis\.out_results would be the same as"):
        loaded_project.load()


def test_a_dataset_is_named_as_it_is_read_or_by_its_id() -> None:
    read = {"contacts": "5f1c", "vip": "5f1c", "others": "77"}
    both = (TableName("octolis", "contacts"), TableName("octolis", "vip"))
    for dataset, target, into in (("contacts", "5f1c", both), ("5f1c", "5f1c", both), ("unread", "unread", ())):
        found = OctolisSync(name="out", dataset=dataset, key=["email"], source="marts.contacts").destination(read)
        assert (found.target, found.read_into) == (target, into)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch_size": 501}, "less than or equal to 500"),
        ({"mode": "insert"}, "'upsert' or 'update'"),
        ({"key": []}, "needs the dataset's deduplication columns"),
        ({"mode": "update"}, "an update uses __masterid__"),
        ({"source": "delete from marts.contacts"}, "neither a table nor a SELECT"),
        ({"source": "select 1; select 2"}, "2 statements"),
        ({"types": {"n": "int"}}, "'integer'"),
        ({"max_rejected": 3}, "less than or equal to 1"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_invalid_options_are_an_error_at_load(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OctolisSync(**{"name": "out", "dataset": "d", "key": ["email"], "source": "marts.contacts", **wrong})
    with pytest.raises(ValidationError, match="'POST' or 'PUT'"):
        OctolisWebhook(name="news", webhook_id="b1f3", source="marts.news", method="GET")
