"""The sensor `alerts`: it searches for problems once a minute and reports new and ended ones to each channel.

Here: the order of a tick. Keep out: the kinds of problems (run_problems.py and the like), the channels (channels.py).

The cursor contains the problems that were reported to each channel. A message that could not be sent does not change
it, so that the next tick sends the message again. In quiet hours nothing is sent, and problems that begin and end
within them are never reported.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.automation.alerts import heartbeat, run_problems, table_problems, vendor_problems
from orgdata_dagster.orchestration.automation.alerts.channels import NotSent, channels, send
from orgdata_dagster.orchestration.automation.alerts.messages import message_of
from orgdata_dagster.orchestration.automation.alerts.problems import Found, Kind, Problem, by_vendor
from orgdata_dagster.orchestration.automation.alerts.quiet_hours import is_quiet
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.settings import SettingsError

NAME = "alerts"
Reported = dict[str, Problem]
"""Key -> a problem that was reported to a channel, or that exists now."""


def alerts_sensor(
    vendors: Iterable[VendorResource] = (), clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """The sensor for the whole project. `vendors`: their resources."""
    resources = tuple(vendors)

    @dg.sensor(
        name=NAME,
        asset_selection=dg.AssetSelection.all(),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends a message when a problem begins and when it ends, to every ORGDATA_ALERT_URL..., and "
        "requests ORGDATA_HEARTBEAT_URL (see .env.example). Does nothing if none of them is set.",
    )
    def alerts(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        ways = channels()
        if not ways and heartbeat.url() is None:
            return dg.SensorResult(skip_reason="no variable ORGDATA_ALERT_URL... and no ORGDATA_HEARTBEAT_URL is set")
        now, troubles = clock(), _stale_daemons(context.instance)
        before = _reported(context.cursor)
        after = before
        if ways and not _quiet(now, troubles):
            found = find_problems(context, warehouse, resources, now)
            after = {}
            for name, url in ways.items():
                after[name] = _report(name, url, before.get(name, {}), found, now, troubles)
        try:
            heartbeat.ping("; ".join(troubles))
        except NotSent as error:
            troubles.append(str(error))
        for trouble in troubles:
            context.log.error(trouble)
        open_now = max(map(len, after.values()), default=0)
        return dg.SensorResult(
            skip_reason="; ".join(troubles) or counted(open_now, "problem"),
            cursor=json.dumps(
                {name: [each.as_json() for each in reported.values()] for name, reported in after.items()}
            ),
        )

    return alerts


def find_problems(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource, vendors: Iterable[VendorResource], now: datetime
) -> Found:
    """All present problems. Problems of a kind whose search fails remain as they were."""
    found, instance, repository = Found(), context.instance, context.repository_def
    assert repository is not None
    kinds: Mapping[Kind, Callable[[], None]] = {
        "run": lambda: run_problems.failed_runs(instance, repository, found),
        "check": lambda: run_problems.failing_checks(instance, repository, found),
        "sensor": lambda: run_problems.failing_sensors(
            instance, repository, _owners(repository, vendors), found, own_name=NAME
        ),
        "overdue": lambda: table_problems.overdue(repository, warehouse, now, found),
        "gap": lambda: table_problems.given_up(instance, found),
        "pause": lambda: vendor_problems.paused(vendors, now, found),
        "token": lambda: vendor_problems.expiring(vendors, found),
    }
    for kind, each in kinds.items():
        try:
            each()
        except Exception as error:  # noqa: BLE001 - one kind must not prevent reports of the others
            context.log.error(f"alerts of kind {kind}: {reason(error)}")
            found.all_undecided |= {kind, "rejections"} if kind == "check" else {kind}
    return found


def _report(name: str, url: str, reported: Reported, found: Found, now: datetime, troubles: list[str]) -> Reported:
    """Report changes to a channel, one message per vendor; returns the problems that are reported now."""
    after = found.after(reported, now.isoformat())
    began = by_vendor(each for key, each in after.items() if key not in reported)
    ended = by_vendor(each for key, each in reported.items() if key not in after)
    broken = False
    for vendor in sorted({*began, *ended}):
        try:
            if not broken:
                send(name, url, message_of(vendor, began.get(vendor, ()), ended.get(vendor, ()), now))
        except NotSent as error:
            troubles.append(str(error))
            broken = True  # no further attempts: a tick has a minute, and each attempt may take seconds
        if broken:
            after = {key: each for key, each in after.items() if key in reported or each.vendor != vendor}
            after |= {each.key: each for each in ended.get(vendor, ())}
    return after


def _quiet(now: datetime, troubles: list[str]) -> bool:
    """Whether it is a quiet hour. A malformed setting is added to `troubles`, and messages are sent."""
    try:
        return is_quiet(now)
    except SettingsError as error:
        troubles.append(str(error))
        return False


def _reported(cursor: str | None) -> dict[str, Reported]:
    try:
        kept = json.loads(cursor or "{}")
        return {name: {(one := Problem(**each)).key: one for each in problems} for name, problems in kept.items()}
    except (ValueError, TypeError, AttributeError):  # of another version
        return {}


def _owners(repository: dg.RepositoryDefinition, vendors: Iterable[VendorResource]) -> set[str]:
    """The names with which a vendor's sensors and schedules begin."""
    keys = repository.asset_graph.get_all_asset_keys()
    return {each.vendor for each in vendors} | {key.path[0] for key in keys if len(key.path) > 1}


def _stale_daemons(instance: dg.DagsterInstance) -> list[str]:
    """A sentence per daemon that ran once and no longer does; the one that evaluates this sensor is alive."""
    statuses = instance.get_daemon_statuses().values()
    stale = [each.daemon_type for each in statuses if each.required and each.healthy is False and each.last_heartbeat]
    return [f"Dagster's {name.lower()} daemon has stopped" for name in sorted(stale)]
