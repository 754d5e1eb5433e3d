"""Worlds of one vendor with many rows, days, columns, tables or small requests.

Here: these worlds. Add here when: another size is to be tried or measured. Keep out: faults (five_vendors.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.outside.truth import Table
from benchmarks.outside.world import World, last_days, midnight
from orgdata_dagster.sandbox import accutics, channel_reports, instants, octolis
from orgdata_dagster.sandbox.accutics import Accutics, Entity
from orgdata_dagster.sandbox.channel_reports.measures import MEASURES
from orgdata_dagster.sandbox.institution_analytics import DataSet, InstitutionAnalytics
from orgdata_dagster.sandbox.institution_analytics.bulk import BulkDataSet
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis.bulk import BulkDataset

CSV_COLUMNS = ("id", "user_id", "course_id", "kind", "score", "amount", "passed", "note", "updated_date")
FIELD = 2  # a field of channel_reports' demo whose selections are counted
_CURSOR = "updated_date"
_FAST = 1e6  # points: the server has no limits
_MICROSECOND = timedelta(microseconds=1)


def csv_days(rows: int, days: int, tables: int = 1, concurrent: int | None = None) -> World:
    """Tables of `rows` CSV rows each, spread evenly over the last days before today, in pages of 20,000."""
    first, last = last_days(days)
    end = midnight(last) + timedelta(days=1) - _MICROSECOND
    span = days * 86_400_000_000 - 1
    names = ["events"] if tables == 1 else [f"events_{number + 1}" for number in range(tables)]
    data = {name: BulkDataSet(rows, _micros(end), span) for name in names}
    vendor = InstitutionAnalytics(limits=UNLIMITED, read_only=data)
    world = World([vendor], _institution(first, [{"name": n, "key": ["id"]} for n in names], concurrent), (first, last))
    for name, bulk in data.items():
        world.add_csv(_csv_table(name), bulk.pieces)
    return world


def csv_tables(tables: int, rows: int, days: int = 1) -> World:
    """Many small CSV tables of `rows` rows each."""
    first, last = last_days(days)
    chance = random.Random(0)
    sets = [
        DataSet(f"small_{number:03d}", ["id", "name", _CURSOR], _small_rows(rows, first, days, chance))
        for number in range(tables)
    ]
    entries = [{"name": each.name, "key": ["id"]} for each in sets]
    world = World([InstitutionAnalytics(sets, limits=UNLIMITED)], _institution(first, entries, None), (first, last))
    for each in sets:
        name = f"institution_analytics.{each.name}"
        world.add_rows(Table(name, ["id", "name", _CURSOR], ["id"], _CURSOR), each.truth())
    return world


def wide_csv(columns: int, rows: int) -> World:
    """A CSV table with very many columns of several types."""
    first, last = last_days(1)
    names = ["id", _CURSOR, *(f"column_{number}" for number in range(columns - 2))]
    at = midnight(first)
    made = [
        {"id": str(n), _CURSOR: _stamp(at + timedelta(seconds=n)), **{c: _wide(c, n) for c in names[2:]}}
        for n in range(rows)
    ]
    world = World(
        [InstitutionAnalytics([DataSet("wide", names, made)], limits=UNLIMITED)],
        _institution(first, [{"name": "wide", "key": ["id"]}], None),
        (first, last),
    )
    world.add_rows(Table("institution_analytics.wide", names, ["id"], _CURSOR), made)
    return world


def wide_json(columns: int, rows: int) -> World:
    """A JSON list with very many columns of several types."""
    first, last = last_days(1)
    names = [f"column_{number}" for number in range(columns - 2)]
    stamp = _stamp(midnight(first), 3)
    made: list[dict[str, Any]] = [
        {"id": n, "updated_at": stamp, **{c: (n, f"text {n}", n / 4, n % 2 == 0)[len(c) % 4] for c in names}}
        for n in range(rows)
    ]
    dimensions = {"updated_at": accutics.Dimension("timestamp", "updated_at")}
    vendor = Accutics([Entity("wide", "page", dimensions, made)], limits=UNLIMITED)
    entry = {"name": "wide", "path": "/wide", "paging": "page", "key": ["id"], "cursor_column": "updated_at"}
    defs = {
        "type": "orgdata_dagster.Accutics",
        "attributes": {"start_date": str(first), "cron": None, "limits": {"per_minute": None}, "tables": [entry]},
    }
    world = World([vendor], {"accutics": defs}, (first, last))
    world.add_rows(Table("accutics.wide", list(made[0]), ["id"], "updated_at"), made)
    return world


def json_records(records: int) -> World:
    """One octolis dataset in pages of 50,000."""
    data = BulkDataset(records, datetime.now(UTC))
    today = datetime.now(UTC).date()
    fast = dict.fromkeys(("points_per_second", "points_per_minute", "account_points_per_minute"), _FAST)
    attributes = {
        "cron": None, "limits": fast, "page_size": 50_000, "tables": [{"name": "bulk", "id": octolis.BULK}],
    }  # fmt: skip
    vendor = octolis.Octolis(limits=UNLIMITED, bulk={octolis.BULK: data})
    world = World([vendor], {"octolis": {"type": "orgdata_dagster.Octolis", "attributes": attributes}}, (today, today))
    columns = list(data.newest_first()[0].public())
    world.add_lines(Table("octolis.bulk", columns, ["__masterid__"], "__modified_at__"), data.pieces)
    return world


def many_requests(days: int) -> World:
    """The nine reports of a channel: one small request per report and day."""
    first, last = last_days(days)
    vendor = channel_reports.demo(days=days + 1, limits=UNLIMITED)
    endpoints = sorted({*MEASURES, "reports_per_field_selection"})
    attributes = {
        "start_date": str(first), "cron": None, "channels": [1], "field_ids": [FIELD],
        "tables": [{"name": name} for name in endpoints],
        "limits": {"per_minute": None},
    }  # fmt: skip
    defs = {"channel_reports": {"type": "orgdata_dagster.ChannelReports", "attributes": attributes}}
    world = World([vendor], defs, (first, last))
    for endpoint in endpoints:
        rows = report_rows(vendor, endpoint, [1], world.days)
        world.add_rows(Table(f"channel_reports.{endpoint}", list(rows[0]), (), "start_date"), rows)
    return world


def report_rows(vendor: Any, endpoint: str, channels: Iterable[int], days: tuple[Any, Any]) -> list[dict[str, Any]]:
    """The rows of a report, one window per day, with the columns that name the window."""
    found = []
    at = midnight(days[0])
    while at <= midnight(days[1]):
        end = at + timedelta(days=1)
        window = {"start_date": _stamp(at), "end_date": _stamp(end)}
        for channel in channels:
            field = FIELD if endpoint == "reports_per_field_selection" else None
            for row in vendor.truth(endpoint, channel, at, end, field):
                found.append({**_flat(row), "channel_id": channel, **window})
        at = end
    return found


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    styles = {f"styles_{name}": value for name, value in row.get("styles", {}).items()}
    return {**{name: value for name, value in row.items() if name != "styles"}, **styles}


def _institution(first: object, data_sets: list[dict[str, Any]], concurrent: int | None) -> dict[str, dict[str, Any]]:
    limits = {"per_minute": None, **({} if concurrent is None else {"concurrent": concurrent})}
    attributes = {"start_date": str(first), "cron": None, "limits": limits, "tables": data_sets}
    return {"institution_analytics": {"type": "orgdata_dagster.InstitutionAnalytics", "attributes": attributes}}


def _csv_table(name: str) -> Table:
    return Table(f"institution_analytics.{name}", CSV_COLUMNS, ["id"], _CURSOR)


def _small_rows(rows: int, first: Any, days: int, chance: random.Random) -> list[dict[str, str | None]]:
    moments = sorted(chance.randrange(days * 86_400_000_000) for _ in range(rows))
    start = midnight(first)
    return [
        {"id": str(n), "name": f"name {n % 97}", _CURSOR: _stamp(start + timedelta(microseconds=at))}
        for n, at in enumerate(moments)
    ]


def _wide(column: str, number: int) -> str | None:
    return (f"{number}", f"text {number}", f"{number}.25", "true", None)[len(column) * 7 % 5 if number % 9 else 4]


def _stamp(at: datetime, digits: int = 6) -> str:
    text = at.replace(tzinfo=None).isoformat(timespec="microseconds" if digits == 6 else "milliseconds")
    return f"{text}Z"


def _micros(at: datetime) -> int:
    return instants.from_datetime(at)


BUILDERS = {each.__name__: each for each in (csv_days, csv_tables, wide_csv, wide_json, json_records, many_requests)}
