"""The world for faults and kills: all five vendors, each with few, awkward rows on several pages.

Here: this one world. Keep out: sizes (many_rows.py), which faults are played (soak/).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.outside.many_rows import report_rows
from benchmarks.outside.truth import Table
from benchmarks.outside.world import World, columns_of
from orgdata_dagster.sandbox import accutics, channel_reports, institution_analytics, octolis, together
from orgdata_dagster.sandbox.limits import UNLIMITED

DAYS = 2  # yesterday and today
REPORTS = ("reports_per_user", "reports_read")
_PACE = 0.05  # seconds instead of together's minute
Quirk = Callable[[World], None]
_RETRIES = {"attempts": 3, "first_wait": 0.05}
_SETTLE = {"lookback": "1s"}


def five_vendors(rows: int = 240, cron: str | None = None, quirk: str = "") -> World:
    """Yesterday and today of every vendor; each table has three pages or more. `quirk`: one of QUIRKS."""
    today = datetime.now(UTC).date()
    days = (today - timedelta(days=DAYS - 1), today)
    common = {"cron": cron, "retries": _RETRIES}
    institution = institution_analytics.demo(days=DAYS, rows=rows, page_rows=max(12, rows // 8), limits=UNLIMITED)
    lists = accutics.demo(days=DAYS, rows=rows, limits=UNLIMITED)
    for entity in lists.entities.values():
        entity.max_page_size = max(5, -(-len(entity) // 4))
    records = octolis.demo(days=DAYS, records=6_000, limits=UNLIMITED)
    reports = channel_reports.demo(days=DAYS, limits=UNLIMITED)
    snapshots = together.demo(limits=together.document_limits(_PACE))
    world = World([institution, lists, records, reports, snapshots], {}, days)
    if quirk:
        QUIRKS[quirk](world)
    start = {"start_date": str(days[0])}
    fast = dict.fromkeys(("points_per_second", "points_per_minute", "account_points_per_minute"), 1e6)
    contacts = octolis.DATASETS["contacts"]
    attributes: dict[str, dict[str, Any]] = {
        "InstitutionAnalytics": {
            **start, **common, **_SETTLE, "limits": {"per_minute": None},
            "tables": [{"name": "events", "key": ["id"]}],
        },
        "Accutics": {
            **start, **common, **_SETTLE, "limits": {"per_minute": None},
            "tables": [
                {"name": "submissions", "path": "/submissions", "paging": "page", "sort": "-updated_at", **_KEYED},
                {"name": "records", "path": "/records", "paging": "cursor", **_KEYED},
            ],
        },
        "Octolis": {
            **common, **_SETTLE, "limits": fast, "page_size": 1_000, "full_walk_every": "0s",
            "tables": [{"name": "contacts", "id": contacts}],
        },
        "ChannelReports": {
            **start, **common, "limits": {"per_minute": None}, "channels": [1, 2],
            "tables": [{"name": name} for name in REPORTS],
        },
        "Together": {
            "cron": cron, "limits": {"seconds_between_requests": _PACE}, "retries": {"attempts": 3},
            "tables": [{"name": "users", "key": ["User ID"]}], **start,
        },
    }  # fmt: skip
    for name, each in attributes.items():
        world.defs[_snake(name)] = {"type": f"orgdata_dagster.{name}", "attributes": each}
    _add(world, "institution_analytics.events", institution.truth("events"), ["id"], "updated_date")
    _add(world, "accutics.submissions", lists.truth("submissions"), ["id"], "updated_at")
    _add(world, "accutics.records", lists.truth("records"), ["id"], "updated_at")
    _add(world, "octolis.contacts", records.truth(contacts), ["__masterid__"], "__modified_at__")
    for endpoint in REPORTS:
        _add(world, f"channel_reports.{endpoint}", report_rows(reports, endpoint, [1, 2], days), (), "start_date")
    _add(world, "together.users", snapshots.truth("users"), ["User ID"], None)
    return world


def _clock(seconds: float) -> Quirk:
    def ahead(world: World) -> None:
        for vendor in world.vendors:
            vendor.clock_ahead = seconds

    return ahead


def _prints(printed: Callable[[str], str] | None = None, *, exclusive: bool = False) -> Quirk:
    """The institution prints other instants than it stores, or its upper bound is exclusive."""

    def change(world: World) -> None:
        vendor = world.vendors[0]
        old = vendor.data_sets["events"]
        vendor.data_sets["events"] = institution_analytics.DataSet(
            "events", old.columns, old.truth(), printed=printed, exclusive_before=exclusive
        )

    return change


QUIRKS: dict[str, Quirk] = {
    "clock 2 minutes ahead": _clock(120),
    "clock a day ahead": _clock(86_400),
    "clock an hour behind": _clock(-3_600),
    "exclusive bound": _prints(exclusive=True),
    "whole seconds printed": _prints(institution_analytics.coarse(0)),
    "milliseconds printed": _prints(institution_analytics.coarse(3)),
    "whole minutes printed": _prints(institution_analytics.coarse(-1)),
    "local time printed": _prints(institution_analytics.local(5.5)),
}
"""Permanent behaviour of vendors that their documents do not mention."""

_KEYED = {"key": ["id"], "cursor_column": "updated_at"}


def _add(world: World, name: str, rows: Any, key: Any, cursor: str | None) -> None:
    world.add_rows(Table(name, columns_of(rows), key, cursor), rows)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


BUILDERS = {"five_vendors": five_vendors}
