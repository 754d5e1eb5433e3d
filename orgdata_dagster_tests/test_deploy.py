"""The files in `deploy/` agree with the project: its settings, variables and commands."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from orgdata_dagster import cli
from orgdata_dagster_tests.dagster_internals.for_tests import (
    InstanceRef,
    WorkerStatus,
    make_new_run_id,
    process_config,
    resolve_to_config_type,
)
from orgdata_dagster_tests.integration.home import Home

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
OWN_OF_DEPLOYMENTS = {"storage", "run_launcher", "run_coordinator"}  # the default gets its own when it is installed


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def variables(text: str) -> set[str]:
    return set(re.findall(r"^#? ?([A-Z][A-Z_]+)=", text, re.MULTILINE))


@pytest.mark.parametrize("folder", ["compose", "celery"])
def test_an_instance_differs_from_the_default_only_in_storage_launcher_and_queue(folder: str) -> None:
    found, default = loaded(f"{folder}/dagster.yaml"), yaml.safe_load((ROOT / "dagster.yaml").read_text())

    assert {name: part for name, part in found.items() if name not in OWN_OF_DEPLOYMENTS} == default
    assert set(found) - set(default) == OWN_OF_DEPLOYMENTS


@pytest.mark.parametrize(("folder", "package"), [("compose", "dagster_docker"), ("celery", "dagster_celery")])
def test_dagster_accepts_the_instance(
    folder: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: the launcher's settings are not checked")
    pytest.importorskip("dagster_postgres", reason="the extra is not installed: pip install -e '.[postgres]'")
    text = (DEPLOY / folder / "dagster.yaml").read_text()
    for name in re.findall(r"env: ([A-Z_]+)", text):
        monkeypatch.setenv(name, "redis://127.0.0.1:9/0")
    (tmp_path / "dagster.yaml").write_text(text)

    found = InstanceRef.from_dir(str(tmp_path))  # raises DagsterInvalidConfigError

    for part in (found.run_launcher_data, found.storage_data, found.run_coordinator_data):
        assert part is not None
        owner = getattr(importlib.import_module(part.module_name), part.class_name)
        checked = process_config(resolve_to_config_type(owner.config_type()), part.config_dict)
        assert checked.success, checked.errors


def test_a_run_that_celery_did_not_launch_is_no_error() -> None:
    """Dagster's run monitoring also checks runs of `orgdata pull`, and runs whose task Redis has forgotten."""
    launchers = pytest.importorskip("orgdata_dagster.dagster_internals.celery_launcher")
    launcher = launchers.OrgdataCeleryRunLauncher(
        default_queue="orgdata", broker="memory://", backend="cache+memory://"
    )
    with dg.DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        of_pull, forgotten = (
            instance.add_run(dg.DagsterRun(job_name="any", run_id=make_new_run_id(), tags=tags))
            for tags in ({}, {launchers.DAGSTER_CELERY_TASK_ID_TAG: "task"})
        )

        for run in (of_pull, forgotten):
            assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        assert launcher.get_run_worker_debug_info(of_pull) is None
        assert not launcher.terminate(of_pull.run_id)
        launcher.celery.backend.store_result("task", RuntimeError("lost"), "FAILURE")
        assert launcher.check_run_worker_health(forgotten).status == WorkerStatus.FAILED


def test_the_chart_has_the_settings_of_the_default_instance() -> None:
    default, values = yaml.safe_load((ROOT / "dagster.yaml").read_text()), loaded("helm/values.yaml")

    daemon = values["dagsterDaemon"]
    for name, part in values["additionalInstanceConfig"].items():
        assert part == default[name]
    queue = daemon["runCoordinator"]
    assert queue["type"] == "CustomRunCoordinator"
    assert queue["config"]["customRunCoordinator"] == loaded("celery/dagster.yaml")["run_coordinator"]
    assert daemon["runMonitoring"]["maxRuntimeSeconds"] == default["run_monitoring"]["max_runtime_seconds"]
    assert daemon["runRetries"]["maxRetries"] == default["run_retries"]["max_retries"]
    assert values["retention"]["schedule"]["purgeAfterDays"] == default["retention"]["schedule"]["purge_after_days"]


def test_every_pod_of_the_chart_can_load_the_queue() -> None:
    """Webserver and daemon queue runs. The images of the chart do not have orgdata."""
    values, [job] = loaded("helm/values.yaml"), loaded("helm/prepare.yaml")["spec"]["template"]["spec"]["containers"]

    [deployment] = values["dagster-user-deployments"]["deployments"]
    for pod in (values["dagsterWebserver"], values["dagsterDaemon"]):
        for name in ("image", "podSecurityContext", "securityContext", "volumes", "volumeMounts"):
            assert pod[name] == deployment[name]
    assert job["image"] == "{repository}:{tag}".format(**deployment["image"])


def test_a_run_of_compose_gets_every_variable_of_the_vendors() -> None:
    passed = loaded("compose/dagster.yaml")["run_launcher"]["config"]["env_vars"]
    vendors = {
        name
        for name in variables((ROOT / ".env.example").read_text())
        if re.match("(ACCUTICS|INSTITUTION_ANALYTICS|CHANNEL_REPORTS|OCTOLIS|TOGETHER)_(?!BASE)", name)
    }

    assert vendors <= set(passed)
    # the launcher refuses every run if one of them is not set where the daemon runs
    assert set(passed) <= loaded("compose/compose.yaml")["x-orgdata"]["environment"].keys()


def test_compose_starts_nothing_as_root_and_publishes_the_ui_on_this_machine_alone() -> None:
    services = loaded("compose/compose.yaml")["services"]

    ours = {name: service for name, service in services.items() if name != "postgres"}
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours.values())
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:3000:3000"]
    volumes = loaded("compose/compose.yaml")["volumes"]
    for volume in loaded("compose/dagster.yaml")["run_launcher"]["config"]["container_kwargs"]["volumes"]:
        assert volume.partition(":")[0] in {made["name"] for made in volumes.values()}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    orgdata = Path(sys.executable).with_name("orgdata")
    text = (DEPLOY / "systemd" / "orgdata.service").read_text()
    assert "ExecStart=/srv/mine/.venv/bin/orgdata dev" in text
    (tmp_path / "orgdata.service").write_text(text.replace("/srv/mine/.venv/bin/orgdata", str(orgdata)))

    command = ["systemd-analyze", "verify", str(tmp_path / "orgdata.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


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
