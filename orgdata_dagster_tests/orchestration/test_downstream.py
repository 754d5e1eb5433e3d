"""A user's own assets, downstream of a vendor's table, run automatically after it changed, and not in a loop."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from orgdata_dagster.orchestration.automation.conditions import downstream_sensor, upstream_landed, when_landed
from orgdata_dagster.project.build import build_defs
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.runs import created, ended

USERS = dg.AssetKey(["institution_analytics", "users"])
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11", timezone="UTC")
NOW = datetime(2026, 1, 11, 12, tzinfo=UTC)
LAST = "2026-01-10"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as made:  # with the event log's real tables, in memory
        yield made


class Ticks:
    """The sensor's ticks over some assets; runs are started by the test."""

    def __init__(self, instance: dg.DagsterInstance, *assets: Any) -> None:
        self.instance, self.assets = instance, assets
        self.cursor: Any = None

    def requested(self, asset: dg.AssetsDefinition) -> set[str | None]:
        """Evaluate a tick; returns the partitions of an asset that it asks for (None: the whole asset)."""
        done = dg.evaluate_automation_conditions(
            defs=dg.Definitions(assets=self.assets), instance=self.instance, cursor=self.cursor, evaluation_time=NOW
        )
        self.cursor = done.cursor
        return set(done.get_requested_partitions(asset.key))

    def run(self, *assets: dg.AssetsDefinition, partition: str | None = None) -> dg.ExecuteInProcessResult:
        """Run assets as the daemon would."""
        return dg.materialize(
            [*self.assets],
            instance=self.instance,
            selection=[*assets],
            partition_key=partition,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def land(self, name: str = "table", partition: str | None = None) -> None:
        """A run of another asset lands something."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=partition))


def table(name: str = "table", partitions: dg.PartitionsDefinition | None = None) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=partitions)
    def upstream() -> None: ...

    return upstream


def mart(
    body: Callable[[], None] = lambda: None,
    *,
    deps: Sequence[Any] = ("table",),
    partitions: dg.PartitionsDefinition | None = None,
    condition: dg.AutomationCondition | None = None,
) -> dg.AssetsDefinition:
    @dg.asset(name="mart", deps=deps, partitions_def=partitions, automation_condition=condition or when_landed())
    def downstream() -> None:
        body()

    return downstream


UPSTREAM = pytest.mark.parametrize(("partitions", "day"), [(None, None), (DAYS, "2026-01-05")])


@UPSTREAM
@pytest.mark.parametrize("condition", [when_landed, upstream_landed])
def test_a_load_during_the_run_is_not_missed(
    instance: dg.DagsterInstance,
    partitions: dg.PartitionsDefinition | None,
    day: str | None,
    condition: Callable[[], dg.AutomationCondition],
) -> None:
    """This happened: the table was loaded 3 s after the downstream asset had started, and counted as seen."""
    during = [lambda: ticks.land(partition=day), lambda: None]
    asset = mart(lambda: during.pop(0)(), condition=condition())
    ticks = Ticks(instance, table(partitions=partitions), asset)
    assert ticks.requested(asset) == set()
    ticks.land(partition=day)
    assert ticks.requested(asset) == {None}
    assert ticks.run(asset).success
    assert ticks.requested(asset) == {None}  # the landing is later than the start
    assert ticks.run(asset).success
    assert [ticks.requested(asset) for _ in range(3)] == [set()] * 3


@UPSTREAM
def test_a_load_just_before_the_run_starts_is_read_by_it(
    instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition | None, day: str | None
) -> None:
    asset = mart()
    ticks = Ticks(instance, table(partitions=partitions), asset)
    ticks.land(partition=day)
    assert ticks.requested(asset) == {None}
    ticks.land(partition=day)  # after the tick that asked for the run, before the run
    assert ticks.run(asset).success
    assert ticks.requested(asset) == set()


def test_a_load_between_a_runs_creation_and_its_start_is_read_by_it(instance: dg.DagsterInstance) -> None:
    asset = mart()
    ticks = Ticks(instance, table(), asset)
    job = dg.Definitions(assets=ticks.assets).resolve_implicit_global_asset_job_def()
    ticks.land()
    run_id = created(instance, job, asset.key)
    ticks.land()
    assert ticks.requested(asset) == {None}  # so far no run that has started saw it
    ended(instance, job, run_id)
    assert ticks.requested(asset) == set()


@UPSTREAM
def test_three_loads_in_one_tick_make_one_run(
    instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition | None, day: str | None
) -> None:
    asset = mart()
    ticks = Ticks(instance, table(partitions=partitions), asset)
    for _ in range(3):
        ticks.land(partition=day)
    assert ticks.requested(asset) == {None}
    assert ticks.run(asset).success
    assert ticks.requested(asset) == set()
    ticks.land(partition=day)
    assert ticks.requested(asset) == {None}  # whether the tick before ran or not: nothing is remembered between ticks
    assert ticks.requested(asset) == {None}


def test_a_run_that_materializes_both_is_not_followed_by_another(instance: dg.DagsterInstance) -> None:
    upstream, asset = table(), mart()
    ticks = Ticks(instance, upstream, asset)
    assert ticks.run(upstream, asset).success
    assert ticks.requested(asset) == set()


def test_two_in_a_row_are_requested_together(instance: dg.DagsterInstance) -> None:
    first = mart()

    @dg.asset(deps=[first], automation_condition=when_landed())
    def second() -> None: ...

    ticks = Ticks(instance, table(), first, second)
    ticks.land()
    done = dg.evaluate_automation_conditions(defs=dg.Definitions(assets=ticks.assets), instance=instance)
    assert (done.get_num_requested(first.key), done.get_num_requested(second.key)) == (1, 1)
    assert ticks.run(first, second).success
    assert ticks.requested(second) == set()


def test_the_newest_of_several_upstream_tables_counts(instance: dg.DagsterInstance) -> None:
    asset = mart(deps=["table", "other"])
    ticks = Ticks(instance, table(), table("other", DAYS), asset)
    ticks.land()
    assert ticks.requested(asset) == {None}  # though the other one never landed
    assert ticks.run(asset).success
    for name, day in [("other", LAST), ("table", None), ("other", "2026-01-02")]:
        ticks.land(name, partition=day)
        assert ticks.requested(asset) == {None}
        assert ticks.run(asset).success
        assert ticks.requested(asset) == set()


def test_a_failed_run_is_repeated_after_the_next_load_and_not_in_a_loop(instance: dg.DagsterInstance) -> None:
    def fail() -> None:
        raise ValueError("as it should")

    asset = mart(fail)
    ticks = Ticks(instance, table(), asset)
    ticks.land()
    for _ in range(2):
        assert ticks.requested(asset) == {None}
        assert not ticks.run(asset).success
        assert [ticks.requested(asset) for _ in range(3)] == [set()] * 3
        ticks.land()


def test_with_the_same_partitions_the_loaded_ones_run(instance: dg.DagsterInstance) -> None:
    during: list[str] = []
    asset = mart(lambda: [ticks.land(partition=day) for day in during] and None, partitions=DAYS)
    ticks = Ticks(instance, table(partitions=DAYS), asset)
    for day in ("2026-01-03", LAST):
        ticks.land(partition=day)
    assert ticks.requested(asset) == {LAST}  # the history of a new asset is launched by its user
    assert ticks.run(asset, partition=LAST).success
    assert ticks.requested(asset) == set()
    ticks.land(partition="2026-01-05")
    assert ticks.requested(asset) == {"2026-01-05"}  # a late day
    during.append("2026-01-05")
    assert ticks.run(asset, partition="2026-01-05").success
    assert ticks.requested(asset) == {"2026-01-05"}  # landed again, after the start
    during.clear()
    assert ticks.run(asset, partition="2026-01-05").success
    assert ticks.requested(asset) == set()


@pytest.mark.parametrize("weeks", [2, 50])  # fewer than the days that landed, and more
def test_with_other_partitions_the_ones_that_contain_the_loaded_ones_run(
    instance: dg.DagsterInstance, weeks: int
) -> None:
    end = "2026-01-11" if weeks == 2 else "2026-12-13"
    weekly = dg.WeeklyPartitionsDefinition("2025-12-28", end_date=end, timezone="UTC", end_offset=weeks)
    asset = mart(partitions=weekly, deps=["table", "whole"])
    ticks = Ticks(instance, table(partitions=DAYS), table("whole"), asset)
    for day in ("2026-01-07", "2026-01-08", "2026-01-09"):
        ticks.land(partition=day)
    ticks.requested(asset)
    ticks.land(partition="2026-01-02")
    assert "2025-12-28" in ticks.requested(asset)
    for week in ("2025-12-28", "2026-01-04"):
        assert ticks.run(asset, partition=week).success
    assert not {"2025-12-28", "2026-01-04"} & ticks.requested(asset)
    ticks.land("whole")
    assert {"2025-12-28", "2026-01-04"} <= ticks.requested(asset)


def test_the_condition_is_evaluated_in_the_code_server(instance: dg.DagsterInstance) -> None:
    """The daemon cannot evaluate it, because a condition that is not Dagster's own is not serialized."""
    asset, sensor = mart(), downstream_sensor()
    defs = dg.Definitions(assets=[table(), asset], sensors=[sensor])
    Ticks(instance, asset).land()
    with dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def()) as context:
        [request] = sensor.evaluate_tick(context).run_requests or []
    assert request.asset_selection == [asset.key]
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


@pytest.mark.usefixtures("home", "sandbox")
def test_only_the_asset_downstream_of_a_vendor_runs() -> None:
    @dg.asset(deps=[USERS], automation_condition=when_landed())
    def report() -> None: ...

    ours = build_defs()
    assert "downstream" in {each.name for each in ours.sensors or []}
    defs = dg.Definitions.merge(ours, dg.Definitions(assets=[report]))
    with in_memory() as instance:
        before = dg.evaluate_automation_conditions(defs=defs, instance=instance)
        assert before.total_requested == 0
        instance.report_runless_asset_event(dg.AssetMaterialization(USERS, partition=str(datetime.now(UTC).date())))
        after = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=before.cursor)
        assert after.get_num_requested(report.key) == 1
        assert after.total_requested == 1
