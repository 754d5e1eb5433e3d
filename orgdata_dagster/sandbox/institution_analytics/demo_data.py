"""Made-up data, awkward on purpose: values that have broken pulls, parsers and types elsewhere.

Here: the data sets `users`, `courses` and `events` of the last days, the same for the same day and seed.
Add here when: a value, an instant or a tie is found that a pull could lose or change.
Keep out: ties larger than a page, which no client can read; tests that need them make them.

In `events` each column has the same type on every day, so that its table can be frozen; in the other two it may change.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.instants import utc_now
from orgdata_dagster.sandbox.institution_analytics.api import POLITE, InstitutionAnalytics
from orgdata_dagster.sandbox.institution_analytics.data_set import DataSet
from orgdata_dagster.sandbox.limits import Limits
from orgdata_dagster.sandbox.vendor import Row

EMPTY_DAY = 4  # days before today on which nothing happened

# every day begins with plain text, so that the column is always text
NOTES = (
    "plain", "", None, 'she said "no"', "a, b; c", "CR LF\r\ninside", "LF\ninside", "CR\rinside",
    "N/A", "null", "NULL", "NaN", "None", "true", "00123", "1e5", "0x10", "2026-01-01", "-", "#", "=1+1",
    "naïve café", "e\u0301 is not \u00e9", "👩🏽 taught 東京", "\u202eright to left", "no-break\u00a0space",
    " spaces kept ", "tab\tinside", "'single'", '"', '""', "\\N", "a|b",
)  # fmt: skip
VERSIONS = ("1.9", "1.10", "1.1", "2.0", "10", "01", "1e3")
PRICES = ("10.00", "9.50", "0.10", "1234567.89", "-3.00", None, "N/A")
COUNTS = ("0", "7", "-1", "9007199254740993", "9223372036854775807", "9223372036854775808", None)

Make = Callable[[int, int, random.Random], Row]


def demo(
    *,
    now: Callable[[], datetime] = utc_now,
    days: int = 10,
    rows: int = 4_000,
    seed: int = 0,
    page_rows: int = 20_000,
    limits: Limits = POLITE,
) -> InstitutionAnalytics:
    """The vendor with about `rows` rows in total, over the `days` days up to `now`."""
    made_at = now()
    kinds: list[tuple[str, Make, float, str]] = [
        ("users", _user, 0.15, "\r\n"),
        ("courses", _course, 0.05, "\n"),
        ("events", _event, 0.8, "\n"),
    ]
    data_sets = []
    for name, make, share, line_end in kinds:
        per_day = max(1, round(rows * share / days))
        made = [row for day in _days(made_at, days) for row in _rows(name, make, day, per_day, seed)]
        until = instants.from_datetime(made_at)
        past = [row for row in made if instants.from_text(row["updated_date"] or "") <= until]
        columns = [*make(0, 0, random.Random(0)), "updated_date"]
        data_sets.append(DataSet(name, columns, past, line_end=line_end))
    return InstitutionAnalytics(data_sets, page_rows=page_rows, limits=limits, now=now)


def _days(now: datetime, days: int) -> Iterator[date]:
    today = now.astimezone(UTC).date()
    return (today - timedelta(days=back) for back in reversed(range(days)) if back != EMPTY_DAY)


def _rows(name: str, make: Make, day: date, count: int, seed: int) -> Iterator[Row]:
    # seeded by the day, so that its rows are the same when the sandbox is started on a later day
    chance = random.Random(f"{seed}/{name}/{day}")
    for number, updated in enumerate(_updated_dates(day, count, chance)):
        yield {**make(day.toordinal() * count + number, number, chance), "updated_date": updated}


def _updated_dates(day: date, count: int, chance: random.Random) -> list[str]:
    """So many timestamps: the day's borders, one second in several precisions, then random ones and ties."""
    midnight = instants.from_datetime(datetime.combine(day, time(), UTC))
    noon = midnight + instants.DAY // 2
    end = midnight + instants.DAY
    texts = [
        instants.to_text(midnight, 0),
        instants.to_text(end - 1),
        instants.to_text(end - 1_000, 3),
        # one instant, two spellings; then smaller and larger fractions of the same second
        instants.to_text(noon, 0),
        instants.to_text(noon, 3),
        instants.to_text(noon + 250_000, 3),
        instants.to_text(noon + 250_001),
        instants.to_text(noon + 1),
        instants.to_text(noon + 999_999),
        instants.to_text(midnight + 1),
    ]
    while len(texts) < count:
        at = midnight + chance.randrange(instants.DAY)
        digits = chance.choice((0, 3, 6))
        # mostly single rows; sometimes several rows with the same instant, as after an import
        texts += [instants.to_text(at, digits)] * chance.choices((1, 2, 7), (60, 3, 2))[0]
    return texts[:count]


def _user(serial: int, number: int, chance: random.Random) -> Row:
    return {
        "id": f"{serial % 900_000:07d}",  # always with a leading zero, so it is not a number
        "email": f"user{serial}@example.org",
        "Full Name (display)": chance.choice(("Zoë Müller", "O'Brien, Pat", "李 小龍", 'Al "Ace" Ng')),
        "active": chance.choice(("true", "false")),
        "signed_up": str(date(2020, 1, 1) + timedelta(days=chance.randrange(2000))),
        "external_id": str(2**53 + 1 + serial),
        "nickname": ("", None, "00", "nick")[number % 4],
        "note": NOTES[number % len(NOTES)],
        "legacy_code": None,
        "revision": "1",
    }


def _course(serial: int, number: int, chance: random.Random) -> Row:
    return {
        "id": f"C-{serial}",
        "title": chance.choice(("Algebra I", 'The "Art", again', "Línea\r\nnueva", "📐 Geometry")),
        "version": VERSIONS[serial % len(VERSIONS)],
        "price": PRICES[serial % len(PRICES)],
        "Hours [planned]": COUNTS[serial % len(COUNTS)],
        "starts_on": str(date(2026, 1, 1) + timedelta(days=chance.randrange(365))),
        "select": NOTES[number % len(NOTES)],
        "revision": "1",
    }


def _event(serial: int, number: int, chance: random.Random) -> Row:
    return {
        "id": str(2**53 + serial),
        "user_id": f"{chance.randrange(900_000):07d}",
        "kind": chance.choice(("login", "view", "submit", "grade")),
        "score": None if number % 9 == 8 else f"{chance.randrange(1001) / 10}",
        "amount": f"{chance.randrange(100_000) / 100:.2f}",
        "ratio": f"{chance.randrange(10**23, 10**24)}.{chance.randrange(10**6):06d}",  # 30 digits
        "passed": chance.choice(("true", "false")),
        "happened_on": str(date(2026, 1, 1) + timedelta(days=chance.randrange(300))),
        "note": NOTES[number % len(NOTES)],
        "legacy_code": None,
        "revision": "1",
    }
