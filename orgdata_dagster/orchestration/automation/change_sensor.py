"""Change sensors: they probe whether a vendor's table has changed, and launch a pull only if it has.

Here: `changes_sensor`. Add here when: the change probes of every vendor need another rule. Keep out: a vendor's probe
(a vendor's folder), and missing partitions (catch_up.py).

A change probe costs one request and returns a mark. The table has changed if the mark differs from the last one.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.errors import PermanentError, VendorError
from orgdata_dagster.http.rate_limit import RateLimitTimeout
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.gaps import Coverage, covered
from orgdata_dagster.orchestration.automation.queued_runs import under_way
from orgdata_dagster.orchestration.automation.schedules import first_due_day, open_circuit, reason_to_skip
from orgdata_dagster.orchestration.partitions import key_of
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.warehouse.commit.transaction import record_requests
from orgdata_dagster.warehouse.names import TableName

PATIENCE = 10.0  # seconds to wait for the rate limit, and for the answer; Dagster gives a tick 60
_LONGEST_TICK = 35.0

ChangeProbe = Callable[[Any, Coverage], str]
"""Takes the vendor's client and the coverage of the table; returns a mark of the vendor's current data."""


@dataclass
class _Probed:
    """The results of a tick: table -> mark, problems, and why it stopped before the last table."""

    marks: dict[str, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    stopped: str = ""


def changes_sensor(
    resource: VendorResource,
    probes: Mapping[dg.AssetKey, ChangeProbe],
    assets: Mapping[dg.AssetKey, dg.AssetsDefinition],
) -> dg.SensorDefinition:
    """The sensor `<vendor>_changes`: probes each table at most once in 5 minutes, and pulls tables that changed.

    The first probe of a table always pulls it, because there is no earlier mark. If the vendor is down or busy, the
    tick is skipped with the reason. A table is not probed while a run pulls it.
    """
    vendor = resource.vendor

    @dg.sensor(
        name=f"{vendor}_changes",
        asset_selection=dg.AssetSelection.assets(*probes),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Probes each table of {vendor} at most once in 5 minutes, and pulls tables that changed.",
    )
    def changes(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        if stopped := reason_to_skip(resource):
            return dg.SensorResult(skip_reason=stopped)
        now = datetime.now(UTC)
        state = json.loads(context.cursor or "{}")
        asking = resource.read_now(patience=PATIENCE)
        pause = settings.pause_of_probes(asking.base_url)
        if (last := state.get("looked")) and now - datetime.fromisoformat(last) < pause:
            return dg.SensorResult(skip_reason=f"{vendor} was probed at {last[:19]}; the interval is {pause}")
        marks: dict[str, str] = state.get("marks", {})
        busy = under_way(context.instance)
        idle = {key: probe for key, probe in probes.items() if key not in busy}
        found = _probe(asking, idle, warehouse)
        changed = [
            key
            for key in idle
            if found.marks.get(key.to_user_string(), "") not in ("", marks.get(key.to_user_string()))
        ]
        requests = [_request(key, assets[key], found.marks[key.to_user_string()], warehouse, now) for key in changed]
        cursor = json.dumps({"looked": now.isoformat(), "marks": marks | found.marks})
        reasons = "; ".join([*found.trouble, *([found.stopped] if found.stopped else [])])
        if reasons:
            context.log.warning(reasons)
        return dg.SensorResult(
            run_requests=requests, cursor=cursor, skip_reason=None if requests else reasons or "nothing changed"
        )

    return changes


def _probe(
    resource: VendorResource, probes: Mapping[dg.AssetKey, ChangeProbe], warehouse: WarehouseResource
) -> _Probed:
    """Probe each table. Skips a table that the vendor refuses; stops at the first table without an answer."""
    known = covered(warehouse, list(probes))
    found, log, began = _Probed(), RequestLog(), time.monotonic()
    with resource.client(log) as client:
        for key, probe in probes.items():
            name = key.to_user_string()
            if time.monotonic() - began > _LONGEST_TICK:
                found.stopped = f"{name} and the tables after it: no time left"
                break
            try:
                found.marks[name] = probe(client, known[key])
            except PermanentError as error:
                found.trouble.append(f"{name}: {error}")
                if open_circuit(resource.vendor) or error.status in (401, 403):
                    break
            except (VendorError, RateLimitTimeout) as error:
                found.stopped = f"{name}: {error}"
                break
    record_requests(warehouse.open(), log.take(), run_id=f"{resource.vendor}_changes")
    return found


def _request(
    key: dg.AssetKey, asset: dg.AssetsDefinition, mark: str, warehouse: WarehouseResource, now: datetime
) -> dg.RunRequest:
    tags = {}
    if asset.partitions_def is not None:
        first = first_due_day(warehouse, TableName(*key.path), asset, now)
        tags = {RANGE_START: first, RANGE_END: key_of(asset.partitions_def, now.date())}
    # the mark alone is not unique: a table that changes back to an earlier state has an earlier mark
    return dg.RunRequest(run_key=f"{key.to_user_string()} {mark} {now.isoformat()}", asset_selection=[key], tags=tags)
