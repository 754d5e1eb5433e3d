"""What `deploy/` holds agrees with the project: its settings, its variables, its commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orgdata_dagster import cli
from orgdata_dagster_tests.integration.home import Home

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
OWN_OF_DEPLOYMENTS = {"storage", "run_launcher"}


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def variables(text: str) -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", text, re.MULTILINE))


@pytest.mark.parametrize("folder", ["compose", "celery"])
def test_an_instance_differs_from_the_default_in_storage_and_launcher_alone(folder: str) -> None:
    found, default = loaded(f"{folder}/dagster.yaml"), yaml.safe_load((ROOT / "dagster.yaml").read_text())

    assert {name: part for name, part in found.items() if name not in OWN_OF_DEPLOYMENTS} == default
    assert set(found) - set(default) == OWN_OF_DEPLOYMENTS


def test_the_chart_has_the_settings_of_the_default_instance() -> None:
    default, values = yaml.safe_load((ROOT / "dagster.yaml").read_text()), loaded("helm/values.yaml")

    daemon, pools = values["dagsterDaemon"], values["additionalInstanceConfig"]["concurrency"]["pools"]
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert pools == default["concurrency"]["pools"]
    assert queue["maxConcurrentRuns"] == default["concurrency"]["runs"]["max_concurrent_runs"]
    assert daemon["runMonitoring"]["maxRuntimeSeconds"] == default["run_monitoring"]["max_runtime_seconds"]
    assert daemon["runRetries"]["maxRetries"] == default["run_retries"]["max_retries"]
    assert values["retention"]["schedule"]["purgeAfterDays"] == default["retention"]["schedule"]["purge_after_days"]


def test_a_run_of_compose_gets_every_variable_of_the_vendors() -> None:
    passed = loaded("compose/dagster.yaml")["run_launcher"]["config"]["env_vars"]
    vendors = {
        name
        for name in variables((ROOT / ".env.example").read_text())
        if re.match("(ACCUTICS|INSTITUTION_ANALYTICS|CHANNEL_REPORTS|OCTOLIS|TOGETHER)_(?!BASE)", name)
    }

    assert vendors <= set(passed)


def test_compose_starts_nothing_as_root_and_publishes_the_ui_on_this_machine_alone() -> None:
    services = loaded("compose/compose.yaml")["services"]

    ours = {name: service for name, service in services.items() if name != "postgres"}
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours.values())
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:3000:3000"]
    volumes = loaded("compose/compose.yaml")["volumes"]
    for volume in loaded("compose/dagster.yaml")["run_launcher"]["config"]["container_kwargs"]["volumes"]:
        assert volume.partition(":")[0] in {made["name"] for made in volumes.values()}


def test_every_command_in_deploy_exists() -> None:
    texts = [path.read_text() for path in DEPLOY.rglob("*") if path.is_file()]
    named = {name for text in texts for name in re.findall(r'(?:`|bin/|\[|\$ |\["?)orgdata(?:"?, "?| )([a-z]+)', text)}

    assert {"prepare", "dev", "status", "init"} <= named
    assert named <= set(cli.orgdata.commands)


def test_every_folder_of_deploy_is_in_its_table() -> None:
    table = (DEPLOY / "README.md").read_text()

    for folder in (path for path in DEPLOY.iterdir() if path.is_dir()):
        assert f"[{folder.name}]({folder.name}/README.md)" in table
        assert (folder / "README.md").exists()


def test_prepare_sets_the_pools_of_a_new_instance(new_home: Home) -> None:
    new_home.set(INSTITUTION_ANALYTICS_BASE_URL="http://127.0.0.1:9", INSTITUTION_ANALYTICS_API_KEY="hidden")

    done = new_home.orgdata("prepare")

    assert done.status == 0, done.everything
    assert "pool institution_analytics_api: " in done.everything
    with new_home.instance() as instance:
        info = instance.event_log_storage.get_concurrency_info("institution_analytics_api")
    assert f"pool institution_analytics_api: {info.slot_count} steps" in done.everything
    assert not info.using_default_limit
