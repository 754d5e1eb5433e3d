"""The state of all tables and rate limits at one moment, and summaries per vendor.

Here: `Overview`, `collect`. Add here when: the overview needs another figure. Keep out: presentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orgdata_dagster.overview import rate_limit_use
from orgdata_dagster.overview.failure import Failure, of_pauses
from orgdata_dagster.overview.outline import Outline, VendorOutline
from orgdata_dagster.overview.pauses import VendorPause
from orgdata_dagster.overview.table_statuses import TableStatus, table_statuses
from orgdata_dagster.state import StateUnavailable
from orgdata_dagster.warehouse.ledger.history import VendorDay

_DAY = 86_400


@dataclass(frozen=True)
class VendorSummary:
    """The summary of one vendor.

    tables, rows: number of tables, and of rows in all of them.
    gaps: number of partitions that are missing or incomplete.
    complete_until: of the table that is furthest behind; None if a table has none.
    last_loaded: the last commit of any of its tables; None if there was none.
    today: the requests of today (UTC).
    share: today's points, as a share of the points that the rate limit allows in a day; None without a limit.
    paused: whether no request is sent now; the failures contain the reason.
    off: for users, the variables to set if the vendor is not configured; otherwise "".
    """

    name: str
    tables: int
    rows: int
    gaps: int
    complete_until: datetime | None
    last_loaded: datetime | None
    today: VendorDay
    share: float | None
    paused: bool
    off: str = ""


@dataclass(frozen=True)
class Overview:
    """The state at one moment.

    now: that moment.
    use: the requests per vendor and day.
    windows: the use of the rate limits, see `rate_limit_use.rate_limits`.
    failures: vendors to which no request is sent, followed by other failures, the oldest first.
    """

    now: datetime
    tables: Sequence[TableStatus]
    vendors: Sequence[VendorSummary]
    use: Sequence[VendorDay]
    windows: Sequence[dict[str, Any]] = ()
    failures: Sequence[Failure] = field(default_factory=tuple)

    @property
    def gaps(self) -> int:
        """Number of partitions of all tables that are missing or incomplete."""
        return sum(vendor.gaps for vendor in self.vendors)


def collect(outline: Outline, failures: Sequence[Failure] = (), now: datetime | None = None) -> Overview:
    """Read the state of the warehouse and the rate limits. Limits that cannot be read are omitted."""
    now = now or datetime.now(UTC)
    tables, use = table_statuses(outline), rate_limit_use.use_of_days(now)
    windows, paused = list[dict[str, Any]](), list[VendorPause]()
    with suppress(StateUnavailable):  # `orgdata doctor` shows the reason; the tables can still be shown
        windows, paused = rate_limit_use.used_today(rate_limit_use.rate_limits(outline)), rate_limit_use.paused(outline)
    known = {vendor.name: vendor for vendor in outline.vendors}
    paused_names = {each.vendor for each in paused}
    names = list(dict.fromkeys(sorted([*known, *(table.table.partition(".")[0] for table in tables)])))
    vendors = [_summary(name, tables, use, known.get(name), name in paused_names, now) for name in names]
    return Overview(now, tables, vendors, use, windows, [*of_pauses(paused), *failures])


def _summary(
    name: str,
    tables: Sequence[TableStatus],
    use: Sequence[VendorDay],
    vendor: VendorOutline | None,
    paused: bool,
    now: datetime,
) -> VendorSummary:
    mine = [table for table in tables if table.table.partition(".")[0] == name]
    day = now.strftime("%Y-%m-%d")
    today = next((each for each in use if (each.vendor, each.day) == (name, day)), VendorDay(name, day, 0, 0.0, 0, 0.0))
    until = [table.complete_until for table in mine]
    speed = vendor.rule.points_per_second if vendor else None
    return VendorSummary(
        name,
        len(mine),
        sum(table.rows for table in mine),
        sum(map(gaps_of, mine)),
        min((each for each in until if each), default=None) if all(until) else None,
        max((table.last_loaded for table in mine if table.last_loaded), default=None),
        today,
        today.points / (speed * _DAY) if speed else None,
        paused,
        vendor.off if vendor else "",
    )


def gaps_of(table: TableStatus) -> int:
    """Number of partitions that are missing or incomplete."""
    return len(table.missing_partitions) + len(table.incomplete)
