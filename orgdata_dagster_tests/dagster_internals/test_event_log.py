"""The event log that stores events in batches has the same content as Dagster's own, with fewer transactions."""

import logging
import os
import queue
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml
from alembic.script import Script
from dagster._core.events import StepMaterializationData
from dagster._core.execution.plan import execute_step
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals import event_log_class, materialization_rows, quiet_events
from orgdata_dagster.dagster_internals.migrations import read_once
from orgdata_dagster.orchestration.instance.setup import prepare_home, shared_instance

pytestmark = pytest.mark.skipif(
    event_log_class.batched_event_log() is None, reason="this Dagster has another event log"
)

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-02", timezone="UTC")
KEYS = DAYS.get_partition_keys()
RANGE = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


CHECKS = [dg.AssetCheckSpec(name, asset="counted") for name in ("full", "keyed")]


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), check_specs=CHECKS)
def counted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    for number, key in enumerate(context.partition_keys):
        context.add_asset_metadata({"rows": number}, partition_key=key)
    return dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name=spec.name, passed=True) for spec in CHECKS]
    )


def run_on(instance: dg.DagsterInstance) -> str:
    job = dg.Definitions(assets=[counted]).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, tags=RANGE, run_config=QUIET)
    assert result.success
    return result.run_id


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    with shared_instance() as made:
        yield made


def everything_read(storage: SqliteEventLogStorage, run_id: str) -> list[object]:
    """Everything that can be asked of the log about the asset and its run."""
    key = counted.key
    [record] = storage.get_asset_records([key])
    last = record.asset_entry.last_materialization
    partitions = storage.get_materialized_partitions(key)
    materialized = storage.fetch_materializations(key, limit=1000).records
    rows = {each.partition_key: each.asset_materialization.metadata["rows"].value for each in materialized}  # type: ignore[union-attr]
    return [
        Counter(each.dagster_event_type for each in storage.get_logs_for_run(run_id)),
        partitions,
        _planned(storage, run_id),
        rows,
        last.asset_materialization.partition if last and last.asset_materialization else None,
        record.asset_entry.last_run_id == run_id,
        len({each.storage_id for each in materialized}),
        storage.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION).keys(),
        [_checked(storage, spec.key) for spec in CHECKS],
    ]


def _checked(storage: SqliteEventLogStorage, key: dg.AssetCheckKey) -> list[object]:
    """The last result of a check, and the event that goes with it."""
    found = storage.get_latest_asset_check_execution_by_key([key])[key]
    assert found.event is not None
    evaluation = found.event.get_dagster_event().asset_check_evaluation_data
    of_last = evaluation.target_materialization_data is not None
    return [found.status, found.event.dagster_event_type, evaluation.check_name, evaluation.passed, of_last]


def _planned(storage: SqliteEventLogStorage, run_id: str) -> list[object]:
    """The planned partitions, each with its event but for what differs from run to run; and those that began last."""
    events = [
        each._replace(run_id="", timestamp=0)
        for each in storage.get_logs_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    ]
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    return [events, storage.get_latest_storage_id_by_partition(counted.key, kind).keys()]


def test_partitions_that_a_run_did_not_load_count_as_failed(instance: dg.DagsterInstance) -> None:
    """Dagster recognizes them as planned and not materialized."""

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def failing(context: dg.AssetExecutionContext) -> None:
        for key in KEYS[:2]:
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key))
        raise dg.Failure("no more")

    job = dg.Definitions(assets=[failing]).resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=instance, tags=RANGE, run_config=QUIET, raise_on_error=False)
    log = instance.event_log_storage
    unlanded = log.get_latest_asset_partition_materialization_attempts_without_materializations(failing.key)
    assert unlanded.keys() == {*KEYS[2:]}


def test_it_gives_the_same_answers_as_dagsters_own_log(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert type(instance.event_log_storage).__name__ == "BatchingEventLog"
    commits: list[object] = []
    note = commits.append  # one object: it is found again by identity
    event.listen(Engine, "commit", note)
    run_id = run_on(instance)
    event.remove(Engine, "commit", note)
    assert len(commits) < len(KEYS)  # each partition has two events, each in two files
    (tmp_path / "own").mkdir()
    own = dg.DagsterInstance.local_temp(str(tmp_path / "own"))
    expected = everything_read(own.event_log_storage, run_on(own))  # type: ignore[arg-type]
    assert everything_read(instance.event_log_storage, run_id) == expected
    assert expected[3] == {key: number for number, key in enumerate(KEYS)}
    # the same files: Dagster's own class reads them
    plain = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    plain.register_instance(instance)
    assert everything_read(plain, run_id) == expected


@dg.asset_check(asset=counted, partitions_def=DAYS)  # type: ignore[call-overload]
def of_a_day() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def test_a_check_has_one_result_per_run(instance: dg.DagsterInstance) -> None:
    """Dagster plans a check once per partition, and the UI shows plans without a result as skipped."""
    run_on(instance)
    job = dg.Definitions(assets=[counted], asset_checks=[of_a_day]).resolve_implicit_global_asset_job_def()
    one = {"dagster/partition": KEYS[3]}
    assert job.execute_in_process(instance=instance, tags=one, run_config=QUIET).success
    for key, partitions in ((CHECKS[0].key, [None, None]), (of_a_day.check_key, [KEYS[3]])):
        found = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        assert [(each.partition, each.status.value) for each in found] == [(name, "SUCCEEDED") for name in partitions]


def test_the_partitions_of_a_run_have_distinct_times(instance: dg.DagsterInstance) -> None:
    """The UI asks for events before a millisecond, and would omit others of the same millisecond."""
    run_on(instance)
    found = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=counted.key), limit=1000).records
    assert [each.partition_key for each in found] == KEYS[::-1]
    times = [int(each.timestamp * 1000) for each in found]
    assert len(set(times)) == len(KEYS)
    assert times == sorted(times, reverse=True)


def test_a_watcher_of_a_run_notices_new_events_at_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """While its writer keeps the file open, it only changes from time to time. The UI only reads it when it changes."""
    writer, received = instance.event_log_storage, queue.Queue[object]()
    run_id = run_on(instance)
    [event, *_] = writer.get_logs_for_run(run_id)
    watcher = SqliteEventLogStorage(str(tmp_path / "dagster" / "history" / "runs"))
    cursor = watcher.get_records_for_run(run_id).cursor
    watcher.watch(run_id, cursor, lambda entry, _: received.put(entry))
    writer.store_event(event)
    assert received.get(timeout=10) == event
    watcher.dispose()
    instance.dispose()
    left = {path.name for path in (tmp_path / "dagster" / "history" / "runs").iterdir()}
    assert left == {"index.db", f"{run_id}.db"}  # whole, with nothing beside them


@pytest.mark.parametrize("own", [{"storage": {"sqlite": {"base_dir": "x"}}}, {"event_log_storage": {"module": "m"}}])
def test_a_configured_storage_is_not_changed(
    own: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dg.project]\nroot_module = 'mine'\n")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(own))
    monkeypatch.setenv(settings.HOME, str(tmp_path / "home"))
    monkeypatch.setenv(settings.PROJECT, str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    folder = Path(prepare_home())
    assert os.environ["DAGSTER_HOME"] == str(folder)
    found = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert {name: each for name, each in found.items() if name != "run_coordinator"} == own


def test_an_instance_needs_no_highlighter() -> None:
    """Alembic's template library imports one, which took 50 ms of every command."""
    loaded = "import sys, orgdata_dagster.dagster_internals.migrations; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    assert {"mako.exceptions", "alembic.script"} <= {*modules}
    assert not {"pygments", "mako.ext.pygmentplugin"} & {*modules}


def test_the_migration_scripts_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster would import them again for each of these steps; they show whether a migration is needed."""
    head = read_once().get_current_head()
    monkeypatch.setattr(Script, "_from_path", None)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = run_on(instance)
        assert instance.event_log_storage.get_logs_for_run(run_id)
        with closing(sqlite3.connect(tmp_path / "history" / "runs" / f"{run_id}.db")) as file:
            assert file.execute("SELECT version_num FROM alembic_version").fetchone() == (head,)


def test_the_engines_of_runs_and_ticks_are_kept(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """A new engine per access, and statements compiled anew, were half of the CPU time of an idle daemon."""
    (tmp_path / "other").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "other")) as other:
        for storage, elsewhere in (
            (instance.run_storage, other.run_storage),
            (instance.schedule_storage, other.schedule_storage),
        ):
            engines = list[Engine]()
            for each in (storage, storage, elsewhere):
                with each.connect() as connection:
                    engines.append(connection.engine)
            assert engines[0] is engines[1] is not engines[2]
            assert engines[0].pool.status() == "NullPool", "a file may be replaced by a restored one at any time"


def test_a_loaded_partition_is_not_logged(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's logging took longer than storing the event."""
    monkeypatch.setattr(execute_step, "_dagster_event_for_asset_event", execute_step._dagster_event_for_asset_event)
    loud = instance.all_logs(run_on(instance), of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    quiet_events.install()
    lines, real = list[str](), logging.Handler.handle

    def handle(self: logging.Handler, record: logging.LogRecord) -> object:
        lines.append(record.getMessage())
        return real(self, record)

    monkeypatch.setattr(logging.Handler, "handle", handle)
    run_id = run_on(instance)
    assert any("RUN_SUCCESS" in line for line in lines)
    assert not any("Materialized value" in line for line in lines)
    stored = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert [_lasting(each) for each in stored] == [_lasting(each) for each in loud]


def _lasting(entry: dg.EventLogEntry) -> list[object]:
    """What does not differ from run to run."""
    event = entry.get_dagster_event()
    found = event.step_materialization_data.materialization
    rest = event._replace(event_specific_data=None, logging_tags={})
    return [rest, event.logging_tags.keys(), found.partition, found.metadata, (found.tags or {}).keys(), entry.message]


def test_events_are_read_in_their_order_also_those_that_wait(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    """Unimportant events are stored with the next one, but every reader of a run's events gets all of them."""
    seen = list[list[str]]()

    @dg.asset(check_specs=[dg.AssetCheckSpec("full", asset="looked_at")])
    def looked_at(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        yield dg.MaterializeResult()
        seen.append(_types(instance, context.run.run_id))
        yield dg.AssetCheckResult(check_name="full", passed=True)
        seen.append(_types(instance, context.run.run_id))

    job = dg.Definitions(assets=[looked_at]).resolve_implicit_global_asset_job_def()
    run_id = job.execute_in_process(instance=instance, run_config=QUIET).run_id
    (tmp_path / "own").mkdir()
    own = dg.DagsterInstance.local_temp(str(tmp_path / "own"))
    expected = _types(own, job.execute_in_process(instance=own, run_config=QUIET).run_id)
    assert _types(instance, run_id) == expected
    assert seen[0][-2:] == ["STEP_OUTPUT", "ASSET_MATERIALIZATION"]
    assert seen[1][-2:] == ["STEP_OUTPUT", "ASSET_CHECK_EVALUATION"]


FIGURES = (
    {"rows": 3, "seconds": 0.125, "at": dg.MetadataValue.timestamp(1.5e9), "why": dg.MetadataValue.md('a "b" é\n')},
    {"rows": 0, "seconds": 1e-7, "at": dg.MetadataValue.timestamp(-1.25), "why": dg.MetadataValue.md("")},
    {"rows": 4, "seconds": float("inf"), "at": dg.MetadataValue.timestamp(2.5), "why": dg.MetadataValue.md("c")},
    {"rows": 4, "complete": True, "text": "a partition of this step"},
    {"rows": 5, "complete": False, "text": "5151515151"},
    {"rows": 5, "complete": False, "text": "x", "columns": dg.MetadataValue.json({"a": 1})},
    {"rows": 5, "complete": False, "text": "x", "columns": dg.MetadataValue.json({"a": True})},  # equals the last one
    {},
)


def test_rows_made_from_a_template_are_those_that_dagster_would_store(instance: dg.DagsterInstance) -> None:
    storage, serialized = instance.event_log_storage, list[dg.EventLogEntry]()
    assert isinstance(storage, SqliteEventLogStorage)

    def own(event: dg.EventLogEntry) -> dict[str, object]:
        serialized.append(event)
        return storage._event_to_row(event)

    rows = materialization_rows.MaterializationRows(own)
    events = [_landed(f"día {number}", figures) for number, figures in enumerate(FIGURES)]
    made = [rows(event) for event in events]
    assert made == [storage._event_to_row(event) for event in events]
    assert len(serialized) == len(FIGURES) - 1  # the first two have the same shape
    assert rows(_landed(None, {})) == storage._event_to_row(_landed(None, {}))


def _landed(partition: str | None, figures: dict[str, object]) -> dg.EventLogEntry:
    found = dg.AssetMaterialization(["a", "b"], partition=partition, metadata=figures, tags={"x": "1"})  # type: ignore[arg-type]
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    event = dg.DagsterEvent(kind.value, "job", event_specific_data=StepMaterializationData(found), message="stored")
    return dg.EventLogEntry(None, 20, "", "run", 1.7e9 + len(figures) / 8, "step", "job", event)


def test_events_that_wait_are_not_lost_if_storing_them_fails(instance: dg.DagsterInstance) -> None:
    """They were taken from the list before the attempt, and then forgotten."""
    run_id, log = run_on(instance), instance.event_log_storage
    [last] = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_SUCCESS)
    waiting = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)[-1]
    before = Counter(_types(instance, run_id))
    log.store_event(waiting)
    with closing(sqlite3.connect(log.path_for_shard(run_id))) as file:  # type: ignore[attr-defined]
        file.execute("ALTER TABLE event_logs RENAME TO gone")
        with pytest.raises(OperationalError):
            log.store_event(last)
        file.execute("ALTER TABLE gone RENAME TO event_logs")
    log.store_event(last)
    assert Counter(_types(instance, run_id)) - before == Counter(STEP_OUTPUT=1, PIPELINE_SUCCESS=1)


def test_an_instance_that_is_closed_stores_the_events_that_wait(instance: dg.DagsterInstance) -> None:
    run_id = run_on(instance)
    stored = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT)
    instance.event_log_storage.store_event(stored[-1])
    instance.event_log_storage.dispose()
    with closing(sqlite3.connect(instance.event_log_storage.path_for_shard(run_id))) as file:  # type: ignore[attr-defined]
        found = file.execute("SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_OUTPUT'").fetchone()
    assert found == (len(stored) + 1,)


def _types(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [str(each.dagster_event_type and each.dagster_event_type.value) for each in instance.all_logs(run_id)]
