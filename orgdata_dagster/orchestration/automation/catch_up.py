"""The sensor `catch_up`: it pulls missing partitions again, a limited number of times.

Here: when to try, how much, and when to give up. Keep out: which partitions are missing (gaps.py).

Each asset has one batch: its first missing partitions. The batch is tried with growing pauses. If a part of it lands,
the count of attempts starts again. After the last attempt the sensor gives up its partitions, and the asset's check
`coverage` fails until they land. Vendors that asked for a pause, or whose circuit breaker is open, are skipped: a run
would fail without a request and count as an attempt. The state is the sensor's cursor.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.counting import counted
from orgdata_dagster.http.waiting import span
from orgdata_dagster.orchestration import telemetry
from orgdata_dagster.orchestration.automation.gaps import missing_partitions, reaches
from orgdata_dagster.orchestration.automation.queued_runs import under_way
from orgdata_dagster.orchestration.automation.schedules import open_circuit
from orgdata_dagster.orchestration.automation.turns import in_turns
from orgdata_dagster.orchestration.checks.specs import COVERAGE
from orgdata_dagster.orchestration.instance.unreported import ended_early, report_landed
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START, PullKind, pulled_assets

NAME = "catch_up"
ALL = ""  # replaces the partition in the cursor for a table without partitions


@dataclass(frozen=True)
class Policy:
    """How often missing partitions are tried. Each pause after the first, `pause`, is four times the previous one."""

    pause: timedelta = timedelta(minutes=10)
    tries: int = 5
    batch: int = 31  # partitions per run
    runs: int = 4  # runs per tick


@dataclass
class AssetAttempts:
    """The sensor's state of an asset.

    batch: the partitions that it tries.
    tries: number of attempts so far.
    after: earliest time of the next attempt (ISO 8601).
    given_up: the partitions that it no longer tries.
    """

    batch: list[str] = field(default_factory=list)
    tries: int = 0
    after: str = ""
    given_up: list[str] = field(default_factory=list)

    def give_up(self) -> None:
        """Stop trying the batch."""
        self.given_up += self.batch
        self.batch, self.tries, self.after = [], 0, ""

    def try_again_after(self, now: datetime, patience: Policy) -> None:
        """Count an attempt, and set the time of the next one."""
        self.after = (now + patience.pause * 4**self.tries).isoformat()
        self.tries += 1


def catch_up_sensor(vendors: Iterable[VendorResource] = (), patience: Policy | None = None) -> dg.SensorDefinition:
    """The sensor for all assets that land a vendor's table. `vendors`: those that may be off or paused."""
    vendors = tuple(vendors)

    @dg.sensor(
        name=NAME,
        asset_selection=dg.AssetSelection.all(),  # not `target`, which requires the same partitions everywhere
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Pulls partitions that are missing or incomplete in the coverage ledger, for example after missed "
        "ticks and failed runs. After five attempts with growing pauses it gives up, and the check `coverage` fails.",
    )
    def catch_up(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        report_landed(context.instance, ended_early(context.instance))
        bearing = patience or Policy(pause=settings.catch_up_pause())
        graph = context.repository_def.asset_graph  # type: ignore[union-attr]
        kinds, now = pulled_assets(graph), datetime.now(UTC)
        reach = reaches(warehouse, kinds)
        busy = under_way(context.instance)
        state = {name: AssetAttempts(**facts) for name, facts in json.loads(context.cursor or "{}").items()}
        paused = _paused(vendors)
        requests, given_up, waiting = list[dg.RunRequest](), list[dg.AssetCheckEvaluation](), [*paused.values()]
        for key in in_turns(kinds):
            kind = kinds[key]
            if key in busy or key.path[0] in paused or open_circuit(key.path[0]):
                continue
            name, partitions = key.to_user_string(), graph.get(key).partitions_def
            try:
                missing = [
                    partition or ALL
                    for partition in missing_partitions(context.instance, key, kind, partitions, reach[key], now)
                ]
            except Exception as error:  # noqa: BLE001 - a problem with one table must not stop the others
                context.log.error(f"{name} is skipped: {reason(error)}")
                continue
            telemetry.gauge("orgdata.gaps", len(missing), vendor=key.path[0], table=key.path[-1])
            attempts = state.setdefault(name, AssetAttempts())
            if not next_batch(attempts, missing, patience=bearing, whole=kind != "days"):
                continue
            if attempts.tries >= bearing.tries:
                given_up.append(_gave_up(key, attempts))
                attempts.give_up()
            elif attempts.after > now.isoformat() or len(requests) >= bearing.runs:
                waiting.append(f"{name} ({len(missing)} missing, after {attempts.after[:19] or 'others'})")
            else:
                requests.append(_request(key, kind, attempts, now))
                attempts.try_again_after(now, bearing)
        configured = {key.to_user_string() for key in kinds}
        remembered = {
            name: asdict(attempts)
            for name, attempts in state.items()
            if name in configured and (attempts.batch or attempts.given_up)
        }
        for request in requests:
            context.log.info(f"pulls {request.run_key}")
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _quiet(waiting, remembered),
            cursor=json.dumps(remembered),
            asset_events=given_up,
        )

    return catch_up


def _paused(vendors: Iterable[VendorResource]) -> dict[str, str]:
    """Vendor -> why no request may be sent to it now."""
    without = {each.vendor: reason_off for each in vendors if (reason_off := each.not_configured())}
    pauses = {each.vendor: each.rate_limit().paused() for each in vendors if each.vendor not in without}
    return {vendor: f"{vendor} ({reason_off})" for vendor, reason_off in without.items()} | {
        vendor: f"{vendor} (it asked for a pause: {span(pause.seconds)} left)"
        for vendor, pause in pauses.items()
        if pause is not None
    }


def next_batch(attempts: AssetAttempts, missing: Sequence[str], *, patience: Policy, whole: bool) -> bool:
    """Set the batch to try next: the first missing partitions that are not given up. Returns whether there are any.

    If the batch is a new one, or a part of the last one has landed, the count of attempts starts again.
    """
    attempts.given_up = [partition for partition in attempts.given_up if partition in missing]
    open_partitions = [partition for partition in missing if partition not in attempts.given_up]
    batch = open_partitions[:1] if whole else list(_first_ones(open_partitions, patience.batch))
    if set(batch).isdisjoint(attempts.batch) or set(batch) < set(attempts.batch):
        attempts.tries, attempts.after = 0, ""
    attempts.batch = batch
    return bool(batch)


def _first_ones(names: Sequence[str], most: int) -> Iterable[str]:
    """The first partitions within `most` days, at most `most`: a run pulls a range, complete days included."""
    if not names:
        return ()
    reach = datetime.fromisoformat(names[0]) + timedelta(days=most)
    return list(takewhile(lambda name: datetime.fromisoformat(name) < reach, names))[:most]


def _request(key: dg.AssetKey, kind: PullKind, attempts: AssetAttempts, now: datetime) -> dg.RunRequest:
    first, last = attempts.batch[0], attempts.batch[-1]
    what = f"{key.to_user_string()} {first} to {last}" if first else key.to_user_string()
    name = f"{what}, attempt {attempts.tries + 1}, {now.isoformat(timespec='seconds')}"
    tags = {} if kind == "whole" else {RANGE_START: first, RANGE_END: last}
    return dg.RunRequest(run_key=name, asset_selection=[key], tags=tags)


def _gave_up(key: dg.AssetKey, attempts: AssetAttempts) -> dg.AssetCheckEvaluation:
    what = f"{attempts.batch[0]} to {attempts.batch[-1]}" if attempts.batch[0] else "the table"
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=COVERAGE,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"catch_up gave up {what} after {counted(attempts.tries, 'attempt')}: see why its runs failed, "
        "then pull it",
        metadata={"partitions": len(attempts.batch), "tries": attempts.tries, "missing": ", ".join(attempts.batch)},
    )


def _quiet(waiting: Sequence[str], remembered: Mapping[str, object]) -> str:
    if waiting:
        return f"waiting for the next attempt: {'; '.join(waiting)}"
    return "only partitions that were given up are missing" if remembered else "no partition is missing"
