"""The demo: every table lands, every check passes, and no partition of the lineage is missing."""

from __future__ import annotations

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli import loaded_project
from orgdata_dagster.dagster_internals.failing_checks import failing_checks
from orgdata_dagster_tests.documents import not_printed, sessions
from orgdata_dagster_tests.integration.home import Home


def test_it_ends_with_every_check_green_and_no_day_missing(new_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    done = new_home.start("demo", "--no-ui").wait(200)
    assert done.status == 0, done.everything
    assert "orgdata init mine" in done.out
    for page in ("README.md", "docs/start.md"):
        [shown] = [lines for command, lines in sessions(page) if command.startswith("orgdata demo")]
        assert not_printed(shown, done.out) == [], page
    [folder] = new_home.folder.parent.glob("command-*/.orgdata-demo")
    monkeypatch.setenv(settings.PROJECT, str(folder))
    monkeypatch.setenv(settings.HOME, str(folder / ".orgdata"))
    found = loaded_project.load()
    graph, outline = found.defs.resolve_asset_graph(), found.outline()
    with new_home.instance() as instance:
        assert failing_checks(settings.dagster_home(), set(outline.checks)) == []
        keys = [dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check) for asset, check in outline.checks]
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        assert {key: record.status.value for key, record in latest.items()} == dict.fromkeys(keys, "SUCCEEDED")
        for key in found.keys:
            partitions = graph.get(key).partitions_def
            if partitions is not None:
                wanted = set(partitions.get_partition_keys())
                assert instance.get_materialized_partitions(key) == wanted, key
            else:
                assert instance.get_latest_materialization_event(key), key
