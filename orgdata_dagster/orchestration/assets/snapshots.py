"""Snapshots of vendors that have only the current state: a partition is a day, and only today's can be pulled.

Here: `land_snapshot`, and the messages about past days. Add here when: another rule applies to the snapshots of every
vendor. Keep out: the pull (a vendor's pulling.py), when a snapshot may replace another (warehouse/commit/snapshots.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http.errors import PermanentError, TransientError
from orgdata_dagster.orchestration.assets.failures import failure
from orgdata_dagster.orchestration.assets.intake import Intake, Pull, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.first_days import keep_first_day
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.storage.connection import Warehouse

Landed = dg.MaterializeResult | dg.AssetMaterialization | dg.AssetCheckResult


def today_utc() -> str:
    """The partition of today."""
    return datetime.now(UTC).date().isoformat()


def accept_shrink_remedy(asset: str) -> str:
    """How the user stores a snapshot that was rejected."""
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
    today: Callable[[], str] = today_utc,
) -> Iterator[Landed]:
    """Pull and commit today's snapshot; skip the run's other days with one warning.

    The asset must have `output_required=False`: if days are skipped, only today's event is yielded, because Dagster
    would otherwise count the skipped days as materialized.

    today: returns the partition that can be pulled now.

    Raises dagster.Failure before any request if today is not in the run.
    """
    now, days = today(), sorted(context.partition_keys)
    over = [day for day in days if day != now]
    if now not in days:
        raise failure(context, {_span(over): _too_late(target, over)})
    if over:
        context.log.warning(f"{_too_late(target, over).message}; only today ({now}) is pulled")
    result = land(
        context,
        warehouse=warehouse,
        target=target,
        pull=lambda intake: _still_today(pull, intake, today),
        requests=requests,
        declared=declared,
        partitions=[now],
    )
    keep_first_day(target.table.schema, warehouse)
    if not over:
        yield result
        return
    left_out = {"days_skipped": dg.MetadataValue.text(_too_late(target, over).message)}
    yield dg.AssetMaterialization(context.asset_key, partition=now, metadata={**(result.metadata or {}), **left_out})
    yield from result.check_results or ()


def _still_today(pull: Pull, intake: Intake, today: Callable[[], str]) -> Pulled:
    """The pull's result. Raises TransientError if midnight has passed, because it is then another day's snapshot."""
    pulled = pull(intake)
    if intake.partition != (now := today()):
        raise TransientError(
            f"midnight passed before the answer came: it is a snapshot of {now}, not stored as {intake.partition}",
            remedy="Pull today.",
        )
    return pulled


def _too_late(target: Target, days: Sequence[str]) -> PermanentError:
    count = counted(len(days), "day")
    return PermanentError(
        f"the vendor has only the current state, so there is no snapshot of {_span(days)} ({count})",
        vendor=target.table.schema,
        remedy=f"No request was sent. Pull today: `orgdata pull {target.table.schema}/{target.table.name}`.",
    )


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
