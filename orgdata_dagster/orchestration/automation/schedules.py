"""Schedules: at the vendor's cron, pull what is due.

Here: `due_schedules` for days that can be pulled at any time, `today_schedule` for snapshots, `asset_schedule` for
what has no partitions.
Add here: another notion of "due". Keep out: what a pull does.

Dagster's partitioned schedules take the last closed partition and never catch up on missed ticks. Here the coverage
ledger says what is missing, so that a tick after an outage pulls the days in between as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.automation.queued_runs import waiting
from orgdata_dagster.orchestration.partitions import DAY, bounds, days, key_of
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import PARTITION_NAME_TAG, RANGE_END, RANGE_START
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.names import TableName

_PATIENCE = 10.0  # seconds for another program that has the warehouse: Dagster gives a tick no more than 60
_LOOK_BACK = 7  # days; what is missing further back is for a backfill
_NAMES: dict[type, str] = {dg.WeeklyPartitionsDefinition: "due_weekly", dg.MonthlyPartitionsDefinition: "due_monthly"}

Due = Callable[[datetime, WarehouseResource], Iterator[dg.RunRequest]]
"""What is to be asked for at the time of a tick."""


def due_schedules(
    name: str, vendor: str, cron: str, assets: Sequence[dg.AssetsDefinition], *, again_days: int = 0
) -> list[dg.ScheduleDefinition]:
    """At every tick one run for each of the assets: from its first incomplete day of the last week to today.

    `name`: what the schedules' names begin with. `again_days`: so many days before today are pulled again although
    they are complete, because the vendor changes them. There is one schedule per kind of partitions (days, weeks,
    months): Dagster loads no project with a schedule over partitions of several kinds.
    """
    kinds: dict[str, list[dg.AssetsDefinition]] = {}
    for asset in assets:
        kinds.setdefault(_NAMES.get(type(asset.partitions_def), "due"), []).append(asset)
    return [_due(f"{name}_{due}", vendor, cron, some, again_days) for due, some in sorted(kinds.items())]


def _due(
    name: str, vendor: str, cron: str, assets: Sequence[dg.AssetsDefinition], again_days: int
) -> dg.ScheduleDefinition:
    def due(tick: datetime, warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        for asset in assets:
            partitions = asset.partitions_def
            assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
            if partitions.start.date() > tick.date():
                continue  # its start_date has yet to come
            first = first_due_day(warehouse, TableName(*asset.key.path), asset, tick, again_days)
            tags = {RANGE_START: first, RANGE_END: key_of(partitions, tick.date())}
            run_key = f"{asset.key.to_user_string()} {tick.isoformat()}"
            yield dg.RunRequest(run_key=run_key, asset_selection=[asset.key], tags=tags)

    again = f", and the last {again_days} days again" if again_days else ""
    about = f"Pulls today of {_listed(assets)}, and the days of the last week that are not complete{again}."
    return _schedule(name, vendor, cron, dg.AssetSelection.assets(*assets), due, about)


def today_schedule(name: str, vendor: str, cron: str, assets: Sequence[dg.AssetsDefinition]) -> dg.ScheduleDefinition:
    """At every tick one run of all the assets for today, whenever the tick was meant to be: later it is another day."""

    def due(tick: datetime, _warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        yield dg.RunRequest(
            run_key=f"{vendor} {tick.isoformat()}",
            asset_selection=[asset.key for asset in assets],
            partition_key=datetime.now(UTC).date().isoformat(),
        )

    about = f"Takes today's snapshot of {_listed(assets)}."
    return _schedule(f"{name}_due", vendor, cron, dg.AssetSelection.assets(*assets), due, about)


def asset_schedule(asset: dg.AssetsDefinition, cron: str, description: str = "") -> dg.ScheduleDefinition:
    """At every tick one run of an asset without partitions. Each has its own, so that one alone can be stopped."""

    def due(tick: datetime, _warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        run_key = f"{asset.key.to_user_string()} {tick.isoformat()}"
        yield dg.RunRequest(run_key=run_key, asset_selection=[asset.key])

    name, vendor = f"{'_'.join(asset.key.path)}_due", asset.key.path[0]
    return _schedule(
        name, vendor, cron, dg.AssetSelection.assets(asset.key), due, description or f"Pulls {_listed([asset])}."
    )


def _listed(assets: Sequence[dg.AssetsDefinition]) -> str:
    return ", ".join(asset.key.to_user_string() for asset in assets)


def _schedule(
    name: str, vendor: str, cron: str, target: dg.AssetSelection, due: Due, description: str
) -> dg.ScheduleDefinition:
    """A schedule that asks for what is `due`, unless it may not, or a run that it asked for before has yet to begin.

    Where runs take longer than the cron's pause, ticks would pile them up otherwise, and each would pull the same.
    """

    @dg.schedule(
        name=name,
        cron_schedule=cron,
        execution_timezone="UTC",
        target=target,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def tick(
        context: dg.ScheduleEvaluationContext, warehouse: WarehouseResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        if stopped := open_circuit(vendor):
            return stopped
        asked = waiting(context.instance, name)
        requests = due(context.scheduled_execution_time.astimezone(UTC), warehouse)
        new = [request for request in requests if not any(_pulls(run, request) for run in asked)]
        return new or dg.SkipReason(f"asked for already: {len(asked)} runs of this schedule have yet to begin")

    return tick


def _pulls(run: dg.DagsterRun, request: dg.RunRequest) -> bool:
    """Whether the run, once it begins, pulls all that is requested."""
    first, last = _window(run.tags)
    wanted_first, wanted_last = _window({PARTITION_NAME_TAG: request.partition_key or "", **request.tags})
    same_assets = set(request.asset_selection or ()) <= (run.asset_selection or set())
    return same_assets and first <= wanted_first and wanted_last <= last


def _window(tags: Mapping[str, str]) -> tuple[str, str]:
    """The first and the last partition of a run with these tags; "" where there are none."""
    one = tags.get(PARTITION_NAME_TAG, "")
    return tags.get(RANGE_START, one), tags.get(RANGE_END, one)


def open_circuit(vendor: str) -> dg.SkipReason | None:
    """Why nobody may ask the vendor at present, if so."""
    circuit_breaker = CircuitBreaker(vendor, settings.circuit_breakers())
    notice = circuit_breaker.read()
    return dg.SkipReason(f"{vendor}: {notice}. {circuit_breaker.remedy}") if notice else None


def first_due_day(
    warehouse: WarehouseResource,
    table: TableName,
    asset: dg.AssetsDefinition,
    now: datetime,
    again_days: int = 0,
) -> str:
    """The first partition with a day of the last week, not before the asset's first one, that is not yet complete or
    reaches into the last `again_days` days; else that of today."""
    opened = warehouse.open()
    opened.patience = min(opened.patience, _PATIENCE)
    known: dict[str | None, tuple[Interval, ...]] = {}
    if opened.exists:
        with opened.reading() as connection:
            known = coverage.known(connection, table)
    partitions = asset.partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    start = max(partitions.start.date(), (now - max(_LOOK_BACK, again_days) * DAY).date())
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for key in dict.fromkeys(key_of(partitions, date.fromisoformat(day)) for day in days(start, now.date())):
        end = bounds(partitions, key)[1]
        if end > midnight - again_days * DAY or not _settled(known.get(key), end):
            return key
    raise AssertionError("the partition of today ends after midnight")


def _settled(parts: tuple[Interval, ...] | None, end: datetime) -> bool:
    """Whether nothing more can be had of a closed partition: it is covered to its end (gaps nobody can fill count)."""
    return bool(parts) and max(part.end for part in parts or ()) >= end
