"""Instants and intervals of one day, for the ledger's tests."""

from datetime import UTC, datetime, timedelta

from orgdata_dagster.warehouse.ledger.intervals import Interval

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def hour(number: float) -> datetime:
    return MIDNIGHT + timedelta(hours=number)


def span(start: float, end: float, reason: str | None = None) -> Interval:
    return Interval(hour(start), hour(end), reason)
