"""Freshness: how old the coverage of a table may be, derived from the cron that refreshes it.

Here: the limits, the check's spec with them, and its result. Keep out: schedules (automation/schedules.py), and when
the check is evaluated between runs (automation/freshness.py).

The check uses `complete_until`, the end of the coverage that is proven complete. Dagster's FreshnessPolicy uses the
time of the last materialization instead, so that a backfill of an old day would satisfy it (docs/adr/0012).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import dagster as dg

from orgdata_dagster.counting import counted

NAME = "freshness"
_TICKS = 60
_FORMAT = "%Y-%m-%dT%H:%M:%S"
_RUN = timedelta(minutes=30)  # how long a run may take
_WARN, _FAIL = "warn_after_seconds", "fail_after_seconds"


@dataclass(frozen=True)
class Allowed:
    """How old a table may become: `warn` after one missed tick, `fail` after two."""

    warn: timedelta
    fail: timedelta

    def spec(self, key: dg.AssetKey) -> dg.AssetCheckSpec:
        """The check of an asset."""
        return dg.AssetCheckSpec(
            NAME,
            asset=key,
            description=f"Warns if the table is not complete up to {_span(self.warn)} ago, and fails if not up to "
            f"{_span(self.fail)} ago. The coverage counts, not the time of the last run.",
            metadata={_WARN: self.warn.total_seconds(), _FAIL: self.fail.total_seconds()},
        )


@dataclass(frozen=True)
class Freshness:
    """The age of a table. `complete_until`: None if no part of it is proven complete."""

    complete_until: datetime | None
    allowed: Allowed
    now: datetime

    @property
    def age(self) -> timedelta | None:
        """The time since `complete_until`."""
        return self.now - self.complete_until if self.complete_until else None

    @property
    def state(self) -> str:
        """`fresh`, `late` after one missed tick, or `overdue`."""
        age = self.age
        if age is None or age > self.allowed.fail:
            return "overdue"
        return "late" if age > self.allowed.warn else "fresh"

    def __str__(self) -> str:
        if self.complete_until is None:
            return "no part of the table is proven complete"
        text = f"complete until {self.complete_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return text if self.state == "fresh" else f"{text}, more than {_span(self._exceeded)} ago"

    @property
    def _exceeded(self) -> timedelta:
        return self.allowed.fail if self.state == "overdue" else self.allowed.warn

    @property
    def _judged(self) -> dict[str, Any]:
        until = dg.MetadataValue.timestamp(self.complete_until) if self.complete_until else None
        return {
            "passed": self.state == "fresh",
            "severity": dg.AssetCheckSeverity.ERROR if self.state == "overdue" else dg.AssetCheckSeverity.WARN,
            "description": str(self),
            "metadata": {"complete_until": until} if until else {},
        }

    def result(self) -> dg.AssetCheckResult:
        """The result of the check in a run."""
        return dg.AssetCheckResult(check_name=NAME, **self._judged)

    def evaluation(self, key: dg.AssetKey) -> dg.AssetCheckEvaluation:
        """The result of the check between two runs."""
        return dg.AssetCheckEvaluation(asset_key=key, check_name=NAME, **self._judged)


@cache  # a project has few different crons, and computing 60 ticks takes a few milliseconds
def allowed(cron: str | None) -> Allowed | None:
    """The allowed age, from the longest time between two ticks of a cron; None without a cron."""
    if not cron:
        return None
    now = datetime.now(UTC)
    windows = dg.TimeWindowPartitionsDefinition(
        start=now, fmt=_FORMAT, cron_schedule=cron, timezone="UTC", end_offset=_TICKS
    )
    ticks = [datetime.strptime(key, _FORMAT) for key in windows.get_partition_keys(current_time=now)]
    pause = max(later - earlier for earlier, later in pairwise(ticks))
    return Allowed(pause + _RUN, 2 * pause + _RUN)


def allowed_by(metadata: Mapping[str, Any]) -> Allowed:
    """The allowed age in the metadata of a check's spec."""
    warn, fail = (_seconds(metadata[name]) for name in (_WARN, _FAIL))
    return Allowed(warn, fail)


def _seconds(value: Any) -> timedelta:
    return timedelta(seconds=value.value if isinstance(value, dg.MetadataValue) else value)


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:.3g} days" if hours >= 48 else counted(float(f"{hours:.3g}"), "hour")
