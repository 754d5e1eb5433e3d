"""Runs of one job share the description of the whole job, and are otherwise stored as Dagster stores them."""

from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster.dagster_internals import SWITCH, job_snapshots

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NAMES = ("first", "second")


def job() -> dg.JobDefinition:
    def made(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name, required_resource_keys={"word"})
        def asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            return dg.MaterializeResult(metadata={"word": str(context.resources.word)})

        return asset

    defs = dg.Definitions(
        assets=[made(name) for name in NAMES], resources={"word": dg.ResourceDefinition.hardcoded_resource("hi")}
    )
    return defs.resolve_implicit_global_asset_job_def()


def stored(folder: Path, made: dg.JobDefinition, *selections: list[str]) -> list[object]:
    """What is stored about runs of these assets, but for what differs from run to run."""
    folder.mkdir()
    found = list[object]()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        for selection in selections:
            keys = [dg.AssetKey(name) for name in selection]
            done = made.execute_in_process(instance=instance, asset_selection=keys, run_config=QUIET)
            run = instance.get_run_by_id(done.run_id)
            assert run is not None
            landed = [
                event.step_materialization_data.materialization for event in done.get_asset_materialization_events()
            ]
            words = [each.metadata["word"].value for each in landed]
            found.append([run.job_snapshot_id, run.execution_plan_snapshot_id, run.asset_selection, run.status, words])
            assert instance.has_job_snapshot(run.job_snapshot_id or "")
            snapshot = instance.get_job_snapshot(run.job_snapshot_id or "")
            assert instance.has_job_snapshot(snapshot.lineage_snapshot.parent_snapshot_id)  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize("internals", ["on", "off"])
def test_runs_are_stored_as_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, internals: str) -> None:
    monkeypatch.setenv(SWITCH, internals)
    selections = [["first"], ["second"], ["first", "second"]]
    expected = stored(tmp_path / "own", job(), *selections)
    shared = job()
    job_snapshots.make_once(shared)
    described, real = list[dg.JobDefinition](), dg.JobDefinition.get_job_snapshot

    def describe(self: dg.JobDefinition) -> object:
        described.append(self)
        return real(self)

    monkeypatch.setattr(dg.JobDefinition, "get_job_snapshot", describe)
    assert stored(tmp_path / "shared", shared, *selections) == expected
    parents = {id(each) for each in described if each.asset_selection_data is None}
    assert len(parents) == (1 if internals == "on" else len(selections))


def test_a_dagster_that_copies_jobs_by_other_options_does_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def copied(self: dg.JobDefinition, resource_defs: object, input_values: object, more: object) -> dg.JobDefinition:
        raise AssertionError(self, resource_defs, input_values, more)

    monkeypatch.setattr(dg.JobDefinition, "as_ephemeral_job", copied)
    job_snapshots.make_once(shared := job())
    assert "as_ephemeral_job" not in vars(shared)
