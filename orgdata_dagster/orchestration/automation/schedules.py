"""Schedules, which pull due partitions at the vendor's cron.

Here: `due_schedules` for partitions that can be pulled at any time, `today_schedule` for daily snapshots,
`asset_schedule` for tables without partitions.
Add here when: there is another rule for due partitions. Keep out: the pull itself.

Dagster's partitioned schedules pull the last closed partition and do not make up for missed ticks. Here the coverage
ledger determines the due partitions, so that a tick after an outage also pulls the days in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.orchestration.automation.queued_runs import waiting
from orgdata_dagster.orchestration.automation.turns import turn_tag
from orgdata_dagster.orchestration.partitions import DAY, bounds, days, key_of
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import PARTITION_NAME_TAG, RANGE_END, RANGE_START
from orgdata_dagster.warehouse.ledger import coverage
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.names import TableName

_PATIENCE = 10.0  # seconds to wait for a program that holds the warehouse; Dagster gives a tick 60
_LOOK_BACK = 7  # days; catch_up and backfills pull older ones
_NAMES: dict[type, str] = {dg.WeeklyPartitionsDefinition: "due_weekly", dg.MonthlyPartitionsDefinition: "due_monthly"}

Due = Callable[[datetime, WarehouseResource], Iterator[dg.RunRequest]]
"""Takes the time of a tick; yields the runs that are due."""


def due_schedules(
    name: str, vendor: VendorResource, cron: str, assets: Sequence[dg.AssetsDefinition], *, again_days: int = 0
) -> list[dg.ScheduleDefinition]:
    """Schedules that launch one run per asset and tick, from its first incomplete day of the last week to today.

    name: prefix of the schedules' names.
    again_days: number of days before today that are pulled again although they are complete, because the vendor
        changes them.

    Returns one schedule per kind of partitions (days, weeks, months), because Dagster does not load a schedule over
    partitions of several kinds.
    """
    kinds: dict[str, list[dg.AssetsDefinition]] = {}
    for asset in assets:
        kinds.setdefault(_NAMES.get(type(asset.partitions_def), "due"), []).append(asset)
    return [_due(f"{name}_{due}", vendor, cron, some, again_days) for due, some in sorted(kinds.items())]


def _due(
    name: str, vendor: VendorResource, cron: str, assets: Sequence[dg.AssetsDefinition], again_days: int
) -> dg.ScheduleDefinition:
    def due(tick: datetime, warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        for turn, asset in enumerate(assets):
            partitions = asset.partitions_def
            assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
            if partitions.start.date() > tick.date():
                continue  # its start_date is in the future
            first = first_due_day(warehouse, TableName(*asset.key.path), asset, tick, again_days)
            tags = {RANGE_START: first, RANGE_END: key_of(partitions, tick.date()), **turn_tag(turn)}
            run_key = f"{asset.key.to_user_string()} {tick.isoformat()}"
            yield dg.RunRequest(run_key=run_key, asset_selection=[asset.key], tags=tags)

    again = f", and again the last {counted(again_days, 'day')}" if again_days else ""
    about = f"Pulls {_listed(assets)}: today, incomplete days of the last week{again}."
    return _schedule(name, vendor, cron, dg.AssetSelection.assets(*assets), due, about)


def today_schedule(
    name: str, vendor: VendorResource, cron: str, assets: Sequence[dg.AssetsDefinition]
) -> dg.ScheduleDefinition:
    """A schedule that launches one run of all assets per tick, always for today, even if the tick is late."""

    def due(tick: datetime, _warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        yield dg.RunRequest(
            run_key=f"{vendor.vendor} {tick.isoformat()}",
            asset_selection=[asset.key for asset in assets],
            partition_key=datetime.now(UTC).date().isoformat(),
        )

    about = f"Pulls today's snapshot of {_listed(assets)}."
    return _schedule(f"{name}_due", vendor, cron, dg.AssetSelection.assets(*assets), due, about)


def asset_schedule(
    asset: dg.AssetsDefinition, vendor: VendorResource | None, cron: str, description: str = ""
) -> dg.ScheduleDefinition:
    """The schedule of one asset without partitions. Each asset has its own, so that it can be switched off alone.

    vendor: None for an asset that needs no vendor.
    """

    def due(tick: datetime, _warehouse: WarehouseResource) -> Iterator[dg.RunRequest]:
        run_key = f"{asset.key.to_user_string()} {tick.isoformat()}"
        yield dg.RunRequest(run_key=run_key, asset_selection=[asset.key])

    name = f"{'_'.join(asset.key.path)}_due"
    return _schedule(
        name, vendor, cron, dg.AssetSelection.assets(asset.key), due, description or f"Pulls {_listed([asset])}."
    )


def _listed(assets: Sequence[dg.AssetsDefinition]) -> str:
    return ", ".join(asset.key.to_user_string() for asset in assets)


def _schedule(
    name: str, vendor: VendorResource | None, cron: str, target: dg.AssetSelection, due: Due, description: str
) -> dg.ScheduleDefinition:
    """A schedule that launches the runs that are `due`.

    A tick is skipped while the vendor is not configured, or its circuit breaker is open. A run is skipped if an earlier
    one, which has not started yet, covers it; otherwise runs would pile up if they take longer than the time between
    ticks.
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
        if vendor is not None and (stopped := reason_to_skip(vendor)):
            return stopped
        queued = waiting(context.instance, name)
        requests = due(context.scheduled_execution_time.astimezone(UTC), warehouse)
        new = [request for request in requests if not any(_pulls(run, request) for run in queued)]
        return new or dg.SkipReason(f"already covered by {counted(len(queued), 'queued run')} of this schedule")

    return tick


def _pulls(run: dg.DagsterRun, request: dg.RunRequest) -> bool:
    """Whether the run covers the whole request."""
    first, last = _range(run.tags)
    wanted_first, wanted_last = _range({PARTITION_NAME_TAG: request.partition_key or "", **request.tags})
    same_assets = set(request.asset_selection or ()) <= (run.asset_selection or set())
    return same_assets and first <= wanted_first and wanted_last <= last


def _range(tags: Mapping[str, str]) -> tuple[str, str]:
    """The first and last partition of a run with these tags; "" for a run without partitions."""
    one = tags.get(PARTITION_NAME_TAG, "")
    return tags.get(RANGE_START, one), tags.get(RANGE_END, one)


def reason_to_skip(vendor: VendorResource) -> dg.SkipReason | None:
    """Why no request can or may be sent to the vendor now; None if it can."""
    if reason := vendor.not_configured():
        return dg.SkipReason(f"{vendor.vendor}: {reason}")
    return open_circuit(vendor.vendor)


def open_circuit(vendor: str) -> dg.SkipReason | None:
    """Why no request may be sent to the vendor now; None if the circuit breaker is closed."""
    circuit_breaker = CircuitBreaker(vendor, shared_state())
    notice = circuit_breaker.read()
    return dg.SkipReason(f"{vendor}: {notice}. {circuit_breaker.remedy}") if notice else None


def first_due_day(
    warehouse: WarehouseResource,
    table: TableName,
    asset: dg.AssetsDefinition,
    now: datetime,
    again_days: int = 0,
) -> str:
    """The first partition to pull: of those with a day of the last week, the first that is not complete.

    Partitions of the last `again_days` days count as incomplete, and so does today's.
    """
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
        if end > midnight - again_days * DAY or not _covered_to(known.get(key), end):
            return key
    raise AssertionError("the partition of today ends after midnight")


def _covered_to(parts: tuple[Interval, ...] | None, end: datetime) -> bool:
    """Whether a closed partition is covered to its end. Gaps within it are ignored."""
    return bool(parts) and max(part.end for part in parts or ()) >= end
