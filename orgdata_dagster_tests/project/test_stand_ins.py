"""A user's asset may require a vendor that is broken or not configured: only its own runs fail, with the reason."""

from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.orchestration.assets.failures import MAX_RETRIES_TAG
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.vendors.together.resource import TogetherResource
from orgdata_dagster_tests.integration import project

# README's own example, and everything else that can ask for a resource
MARTS = """
import dagster as dg

from orgdata_dagster.orchestration.automation.conditions import when_landed
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.vendors.together.resource import TogetherResource


@dg.asset(deps=[["together", "users"]], automation_condition=when_landed())
def users_by_day(warehouse: WarehouseResource, together: TogetherResource) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"users": len(together.rows("users"))})


@dg.asset
def beside(warehouse: WarehouseResource) -> None: ...


@dg.asset_check(asset=beside)
def checked(together: TogetherResource) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=together.rows("users").empty)


@dg.op
def looking(together: TogetherResource) -> None:
    together.rows("users")


@dg.job
def look() -> None:
    looking()


@dg.sensor(target=[beside])
def watching(together: TogetherResource) -> dg.SkipReason:
    return dg.SkipReason(str(together.rows("users")))


@dg.schedule(target=[beside], cron_schedule="0 0 * * *")
def nightly(together: TogetherResource) -> dg.SkipReason:
    return dg.SkipReason(str(together.rows("users")))
"""
BROKEN = "type: orgdata_dagster.Together\nattributes:\n  nonsense: 1\n"
WHY_BROKEN = "together.nonsense: unknown field"
WHY_ABSENT = "the project has no defs.yaml with `type: orgdata_dagster.Together`"
NO_RESOURCE = "The resource 'together' is missing"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def written(folder: Path, together: str | None, marts: str = MARTS) -> Path:
    """A project with a good vendor, perhaps Together, and a Python file of the user's own."""
    files = {"institution_analytics": project.institution_analytics()}
    root = project.write(folder, files | ({"together": together} if together else {}))
    [defs_folder] = root.glob("*/defs")
    (defs_folder / "marts.py").write_text(marts)
    return root


def reasons(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Failed step -> its headline."""
    failed = {}
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            failed[str(event.step_key)] = data.description or "" if data else ""
    return failed


@pytest.mark.parametrize(
    ("together", "why", "for_ui"),
    [(BROKEN, WHY_BROKEN, True), (None, WHY_ABSENT, True), (None, WHY_ABSENT, False)],
    ids=["broken", "not configured", "not configured, on the command line"],
)
def test_only_the_runs_that_use_it_fail_with_the_reason(
    tmp_path: Path, together: str | None, why: str, for_ui: bool, caplog: pytest.LogCaptureFixture
) -> None:
    defs = build_defs(project=written(tmp_path, together), for_ui=for_ui)
    dg.Definitions.validate_loadable(defs)
    assert why in caplog.text
    graph = defs.resolve_asset_graph()
    assert dg.AssetKey(["institution_analytics", "users"]) in graph.executable_asset_keys
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("users_by_day"), dg.AssetKey("beside")],
            raise_on_error=False,
            run_config=QUIET,
        )
        failed = reasons(done)
        assert failed.keys() == {"users_by_day", "beside_checked"}
        assert all(reason.startswith(NO_RESOURCE) and why in reason for reason in failed.values())
        materialized = {event.asset_key for event in done.all_events if event.is_step_materialization}
        assert materialized == {dg.AssetKey("beside")}
        run = instance.get_run_by_id(done.run_id)
        assert run is not None
        assert run.tags[MAX_RETRIES_TAG] == "0"  # a retry would fail likewise
        looked = defs.resolve_job_def("look").execute_in_process(instance=instance, raise_on_error=False)
        assert why in reasons(looked)["looking"]
        repository = defs.get_repository_def()
        given = {"together": defs.resources["together"]}  # type: ignore[index]
        with (
            dg.build_sensor_context(instance, resources=given) as sensing,
            pytest.raises(dg.Failure, match=NO_RESOURCE),
        ):
            repository.get_sensor_def("watching").evaluate_tick(sensing)
        with dg.build_schedule_context(instance, resources=given) as ticking, pytest.raises(dg.DagsterError) as refused:
            repository.get_schedule_def("nightly").evaluate_tick(ticking)
        assert NO_RESOURCE in str(refused.value.__cause__)


def test_without_its_variables_only_the_runs_that_use_a_vendor_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in TogetherResource.environment_of({}).values():
        monkeypatch.delenv(name, raising=False)
    defs = build_defs(project=written(tmp_path, "type: orgdata_dagster.Together\n"))
    dg.Definitions.validate_loadable(defs)
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        users = [dg.AssetKey("users_by_day")]
        done = job.execute_in_process(instance=instance, asset_selection=users, run_config=QUIET, raise_on_error=False)
        assert "together is not configured: set TOGETHER_ORGANIZATION_ID," in reasons(done)["users_by_day"]
        graph_only = job.get_subset(asset_selection={dg.AssetKey("beside")}, asset_check_selection=set())
        assert graph_only.execute_in_process(instance=instance, run_config=QUIET).success


def test_a_resource_from_a_broken_python_file_has_a_stand_in_too(tmp_path: Path) -> None:
    asset = "@dg.asset(required_resource_keys={'lake'})\ndef mart(context):\n    context.resources.lake.read()\n"
    root = written(tmp_path, None, f"import dagster as dg\n{asset}")
    [defs_folder] = root.glob("*/defs")
    (defs_folder / "lake.py").write_text("import nothing_of_the_kind\n")
    defs = build_defs(project=root)
    dg.Definitions.validate_loadable(defs)
    done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("mart")], raise_on_error=False, run_config=QUIET
    )
    assert (
        "lake could not be loaded: ModuleNotFoundError: No module named 'nothing_of_the_kind'" in reasons(done)["mart"]
    )


def test_a_provided_resource_needs_no_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TogetherResource.environment_of({}).values():
        monkeypatch.setenv(name, "set")
    stood_for = object()
    good = build_defs(project=written(tmp_path, "type: orgdata_dagster.Together\n"))
    overridden = build_defs(project=written(tmp_path / "2", None), resource_overrides={"together": stood_for})
    assert type(good.resources["together"]).__name__ == "TogetherResource"  # type: ignore[index]
    assert overridden.resources["together"] is stood_for  # type: ignore[index]
