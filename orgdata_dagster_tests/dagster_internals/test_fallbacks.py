"""An upgrade of Dagster may remove private modules that we use: everything still works, only slower."""

from __future__ import annotations

import builtins
import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals import SWITCH, components, event_log_class, migrations
from orgdata_dagster.orchestration import tags
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.project.isolation import BROKEN
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.project.test_stand_ins import BROKEN as BROKEN_YAML
from orgdata_dagster_tests.project.test_stand_ins import WHY_BROKEN, written

OURS = "orgdata_dagster.dagster_internals"
PRIVATE = ("dagster._", "dagster.components.core", "dagster_shared")


@pytest.fixture(params=["switched off", "gone"])
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dagster's private modules are not to be used, or an upgrade moved them."""
    if request.param == "switched off":
        monkeypatch.setenv(SWITCH, "off")
    else:
        real = builtins.__import__

        def moved(name: str, globals_: Any = None, *args: Any) -> ModuleType:
            if name.startswith(PRIVATE) and (globals_ or {}).get("__name__", "").startswith(OURS):
                raise ImportError(f"No module named {name!r}")
            return real(name, globals_, *args)

        monkeypatch.delitem(sys.modules, f"{OURS}.event_log", raising=False)
        monkeypatch.setattr(builtins, "__import__", moved)
    yield
    monkeypatch.undo()
    with suppress(ImportError):  # an older Dagster has no such event log
        importlib.import_module(f"{OURS}.event_log")


@pytest.mark.usefixtures("without")
def test_days_are_pulled_and_shown(new_home: Home, sandbox: Sandbox) -> None:
    """The main use case: a new instance, a pull of several days in one run, tables, partitions, checks."""
    assert sandbox
    assert event_log_class.batched_event_log() is None
    assert migrations.read_once() is None
    first, last = project.today(back=2), project.today()
    done = new_home.materialize("institution_analytics/users", first, last)
    assert done.success
    [(days,)] = new_home.sql("SELECT count(DISTINCT _orgdata_partition) FROM institution_analytics.users")
    key = dg.AssetKey(["institution_analytics", "users"])
    with shared_instance() as instance:
        assert type(instance.event_log_storage).__name__ == "SqliteEventLogStorage"
        materialized = instance.get_materialized_partitions(key)
    assert {first, last} <= materialized
    assert len(materialized) == 3
    assert 0 < days <= 3
    assert "BatchingEventLog" not in (new_home.folder / "dagster" / "dagster.yaml").read_text()


@pytest.mark.usefixtures("home", "without")
def test_the_same_instance_works_without_them() -> None:
    """The home was created with them; the files are Dagster's own."""
    with shared_instance() as instance:
        assert type(instance.event_log_storage).__name__ == "SqliteEventLogStorage"
        instance.report_runless_asset_event(dg.AssetMaterialization("table"))
        assert instance.get_latest_materialization_event(dg.AssetKey("table"))


@pytest.mark.usefixtures("without")
def test_a_broken_vendor_does_not_affect_the_others(tmp_path: Path) -> None:
    root = written(tmp_path, BROKEN_YAML)
    parts, broken = components.load_parts(root, settings.defs_folder(root))
    assert [path.name for path in broken] == ["together"]
    assert parts
    defs = build_defs(project=root)
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert WHY_BROKEN in (graph.get(dg.AssetKey(["together", BROKEN])).description or "")
    assert {key.to_user_string() for key in graph.executable_asset_keys} == {
        *(f"institution_analytics/{name}" for name in ("users", "courses", "events")),
        *("users_by_day", "beside"),
    }


@pytest.mark.usefixtures("without")
def test_an_invalid_project_loads_and_shows_its_errors(tmp_path: Path) -> None:
    good = project.write(tmp_path / "good", {"institution_analytics": project.institution_analytics()})
    assert len(build_defs(project=good, for_ui=False).resolve_asset_graph().executable_asset_keys) == 3
    bad = project.write(tmp_path / "bad", {"together": BROKEN_YAML})
    with pytest.raises(Exception, match=r"nonsense|together"):
        build_defs(project=bad, for_ui=False)


def test_importing_patches_nothing() -> None:
    """A library that changes another one on import would surprise users who only import it."""
    code = f"""
import importlib, pkgutil
from contextlib import suppress
from alembic.script import ScriptDirectory
from dagster._core.executor import in_process
import {OURS} as internals
before = ScriptDirectory.from_config.__func__, in_process.InstanceConcurrencyContext
for module in pkgutil.iter_modules(internals.__path__):
    with suppress(ImportError):
        importlib.import_module(f"{OURS}.{{module.name}}")
assert before == (ScriptDirectory.from_config.__func__, in_process.InstanceConcurrencyContext)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_the_tags_equal_dagsters() -> None:
    from dagster._core.storage import tags as dagsters

    names = ("PARTITION_NAME_TAG", "PRIORITY_TAG", "SCHEDULE_NAME_TAG", "GRPC_INFO_TAG")
    assert [getattr(tags, name) for name in names] == [getattr(dagsters, name) for name in names]
