"""Sensors that look whether a vendor has something new, and launch a pull only then.

Here: `changes_sensor`. Add here: what holds for such a look at any vendor. Keep out: the look itself (a vendor's
probing.py), what is missing (catch_up.py).

A look costs a request of the vendor's budget. Its answer is a mark; another mark than the last one means a change.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.errors import PermanentError, VendorError
from orgdata_dagster.http.rate_limit import BudgetTimeout
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.gaps import Coverage, covered
from orgdata_dagster.orchestration.automation.queued_runs import under_way
from orgdata_dagster.orchestration.automation.schedules import RANGE_END, RANGE_START, first_due_day, stop_sign
from orgdata_dagster.orchestration.partitions import key_of
from orgdata_dagster.orchestration.resources import Observer, VendorResource, WarehouseResource
from orgdata_dagster.warehouse.commit.transaction import record_requests
from orgdata_dagster.warehouse.names import TableName

PATIENCE = 10.0  # seconds for the budget and for the answer: Dagster gives a tick 60
_LONGEST_TICK = 35.0

C = TypeVar("C")
Look = Callable[[C, Coverage], str]
"""The mark of a data set, from the vendor's client and what the ledger says of its table."""


@dataclass
class _Looked:
    """What the looks of a tick found: marks that are new, and why one of them was the last."""

    marks: dict[str, str] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    stopped: str = ""


def changes_sensor(
    kind: type[VendorResource],
    fields: Mapping[str, Any],
    looks: Mapping[dg.AssetKey, Look[C]],
    assets: Mapping[dg.AssetKey, dg.AssetsDefinition],
    open_client: Callable[[Any, Observer], AbstractContextManager[C]],
) -> dg.SensorDefinition:
    """The sensor `<vendor>_changes`: a look at each data set, at most once in 5 minutes, and a pull of what changed.

    The first look at a data set pulls it too: nobody knows what changed before. `fields` are those of the resource
    that do not come from the environment. A vendor that is down or busy is skipped, with the reason; a data set that a
    run is under way for is not looked at.
    """
    vendor = kind.vendor

    @dg.sensor(
        name=f"{vendor}_changes",
        asset_selection=dg.AssetSelection.assets(*looks),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Looks at the newest row of each of {vendor}, at most once in 5 minutes; pulls what changed.",
    )
    def changes(context: dg.SensorEvaluationContext, warehouse: WarehouseResource) -> dg.SensorResult:
        if stopped := stop_sign(vendor):
            return dg.SensorResult(skip_reason=stopped)
        if missing := kind.missing_variables():
            return dg.SensorResult(skip_reason=f"{vendor}: not set: {', '.join(missing)}; see .env.example")
        now = datetime.now(UTC)
        state = json.loads(context.cursor or "{}")
        resource = kind.from_environment(**fields, patience=PATIENCE)
        pause = settings.pause_of_probes(resource.base_url)
        if (last := state.get("looked")) and now - datetime.fromisoformat(last) < pause:
            return dg.SensorResult(skip_reason=f"{vendor} was asked at {last[:19]}, and is every {pause}")
        marks: dict[str, str] = state.get("marks", {})
        busy = under_way(context.instance)
        idle = {key: look for key, look in looks.items() if key not in busy}
        found = _look_at(resource, idle, warehouse, open_client)
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


def _look_at(
    resource: VendorResource,
    looks: Mapping[dg.AssetKey, Look[C]],
    warehouse: WarehouseResource,
    open_client: Callable[[Any, Observer], AbstractContextManager[C]],
) -> _Looked:
    """Look at each; a refused data set is passed over, a vendor that does not answer is not asked further."""
    known = covered(warehouse, list(looks))
    found, log, began = _Looked(), RequestLog(), time.monotonic()
    with open_client(resource, log) as client:
        for key, look in looks.items():
            name = key.to_user_string()
            if time.monotonic() - began > _LONGEST_TICK:
                found.stopped = f"{name} and those after it: no time left"
                break
            try:
                found.marks[name] = look(client, known[key])
            except PermanentError as error:
                found.trouble.append(f"{name}: {error}")
                if stop_sign(resource.vendor) or error.status in (401, 403):
                    break
            except (VendorError, BudgetTimeout) as error:
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
    # the mark alone would not do: what changed to and fro has an old mark, and is new all the same
    return dg.RunRequest(run_key=f"{key.to_user_string()} {mark} {now.isoformat()}", asset_selection=[key], tags=tags)
