"""OpenTelemetry gauges that a sensor records: lag of coverage, use of the rate limits, length of the queue.

Here: `record`. Keep out: metrics that runs record, and the instruments (orchestration/telemetry.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from orgdata_dagster.orchestration import telemetry
from orgdata_dagster.orchestration.checks.freshness import Freshness
from orgdata_dagster.orchestration.resources import VendorResource

_WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)


def record(
    instance: dg.DagsterInstance, vendors: Iterable[VendorResource], tables: Mapping[dg.AssetKey, Freshness]
) -> None:
    """Record all gauges; nothing if OpenTelemetry is off."""
    if not telemetry.is_on():
        return
    for key, fresh in tables.items():
        if fresh.age is not None:
            lag = max(0.0, fresh.age.total_seconds())
            telemetry.gauge("orgdata.coverage.lag", lag, vendor=key.path[0], table=key.path[-1])
    for resource in vendors:
        for used in resource.rate_limit().usage() if resource.rule().buckets else ():
            window = {"window_seconds": f"{used.window.seconds:g}", "points": f"{used.window.points:g}"}
            share = used.spent / used.window.points
            telemetry.gauge("orgdata.rate_limit.used", share, vendor=resource.vendor, **window)
    for status in _WAITING:
        number = instance.get_runs_count(dg.RunsFilter(statuses=[status]))
        telemetry.gauge("orgdata.queue", number, status=status.value.lower())
