"""Instants as whole microseconds since 1970 UTC, and as ISO 8601 text.

Here: parsing and writing timestamps exactly, as integers, because a float loses microseconds.
Add here when: a vendor accepts or writes another format of timestamps.
Keep out: calendars and ranges of time, which each vendor's document defines.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def utc_now() -> datetime:
    """The current time in UTC; the clock of every vendor, unless a test passes another."""
    return datetime.now(UTC)


def from_text(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 timestamp with 0-6 fraction digits and `Z` or an offset.

    Raises ValueError for anything else, including a timestamp without a zone.
    """
    if not _ISO.fullmatch(text):
        raise ValueError(f"not an ISO 8601 timestamp with Z or an offset: {text!r}")
    return from_datetime(datetime.fromisoformat(text))


def from_datetime(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"a datetime without a zone: {at!r}")
    return (at - _EPOCH) // MICROSECOND


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + instant * MICROSECOND


@lru_cache(1 << 16)  # a record has the same instant three times, and is served often
def to_text(instant: int, digits: int = 6) -> str:
    """ISO 8601 in UTC with `Z` and this many fraction digits (0-6); further digits are cut off, not rounded."""
    whole = to_datetime(instant).isoformat()[:19]  # strftime takes twice as long
    fraction = f".{instant % 1_000_000:06d}"[: digits + 1] if digits else ""
    return f"{whole}{fraction}Z"
