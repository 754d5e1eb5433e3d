"""Snapshots of vendors that know only the present: a partition is the day it was taken on, and only today's can be had.

Here: `land_snapshot`, and what a run says whose days are over. Add here: what holds for snapshots of any vendor.
Keep out: the pull (a vendor's assets.py), which snapshot may replace which (warehouse/commit/snapshots.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.http.errors import PermanentError, TransientError
from orgdata_dagster.orchestration.assets.failures import failure
from orgdata_dagster.orchestration.assets.intake import Intake, Pull, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.storage.connection import Warehouse

Landed = dg.MaterializeResult | dg.AssetMaterialization | dg.AssetCheckResult


def accept_shrink_remedy(asset: str) -> str:
    """How a person has a snapshot stored that was refused."""
    return (
        f"If that is right, run `orgdata pull {asset} --accept-shrink`, or materialize today with the run tag "
        f"{ACCEPT_SHRINK_TAG}=true."
    )


def land_snapshot(
    context: dg.AssetExecutionContext,
    *,
    warehouse: Warehouse,
    target: Target,
    pull: Pull,
    requests: RequestLog,
    declared: Mapping[str, str],
) -> Iterator[Landed]:
    """Pull and commit today, and leave out the run's other days with one warning.

    The asset must have `output_required=False`: where days are left out, only today's event is given, or Dagster would
    take them for materialized. Raises dagster.Failure before any request if today is not among the days.
    """
    today, days = _today(), sorted(context.partition_keys)
    over = [day for day in days if day != today]
    if today not in days:
        raise failure(context, {_span(over): _too_late(target, over)})
    if over:
        context.log.warning(f"{_too_late(target, over).message}; only today ({today}) is pulled")
    result = land(
        context,
        warehouse=warehouse,
        target=target,
        pull=lambda intake: _still_today(pull, intake),
        requests=requests,
        declared=declared,
        partitions=[today],
    )
    if not over:
        yield result
        return
    left_out = {"days_left_out": dg.MetadataValue.text(_too_late(target, over).message)}
    yield dg.AssetMaterialization(context.asset_key, partition=today, metadata={**(result.metadata or {}), **left_out})
    yield from result.check_results or ()


def _still_today(pull: Pull, intake: Intake) -> Pulled:
    """The pull's outcome, unless midnight has passed meanwhile: what came is then another day's snapshot."""
    pulled = pull(intake)
    if intake.partition != (today := _today()):
        raise TransientError(
            f"midnight passed before the answer came: it is a snapshot of {today}, not stored as {intake.partition}",
            remedy="Pull today.",
        )
    return pulled


def _too_late(target: Target, days: Sequence[str]) -> PermanentError:
    count = f"{len(days)} days" if len(days) > 1 else "1 day"
    return PermanentError(
        f"the vendor knows only the present, so a snapshot of {_span(days)} ({count}) cannot be made",
        vendor=target.table.schema,
        remedy=f"No request was sent. Pull today: `orgdata pull {target.table.schema}/{target.table.name}`.",
    )


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
