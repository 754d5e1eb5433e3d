"""Made-up reports, awkward on purpose: values that have broken readers of a CSV inside a JSON string.

Here: the reports `users`, `pairings` (both with a key) and `sessions` (without one) as of the day of `now`.
Add here when: a value is found that a reader of the report could lose or change.
Keep out: limits and HTTP.

On the next day some rows have changed, a few are new and one user is missing, so that a history has something to show.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.limits import Limits
from orgdata_dagster.sandbox.together.api import Together, document_limits
from orgdata_dagster.sandbox.together.report import Report
from orgdata_dagster.sandbox.vendor import Row

EPOCH = date(2026, 1, 1)  # the day of the first user; every third day has a new user
FIRST_USERS = 150

BIOS = (
    "plain", 'says "hello", twice', "CR LF\r\ninside", "LF\ninside", "CR\rinside", "", None, "\\n is no line end",
    'back\\slash "and" quote', "tab\tinside", "N/A", "null", "naïve café", "👩🏽 東京", "\u2028 line separator",
    " spaces kept ", "00123", "=1+1", "{\"report\": 1}", "\ufeffnot at the start", '"',
)  # fmt: skip


def demo(*, now: Callable[[], datetime] = instants.utc_now, limits: Limits = document_limits()) -> Together:
    """The vendor with some hundred rows per report."""
    day = now().astimezone(UTC).date()
    kinds = {"users": (_users, "User ID"), "pairings": (_pairings, "Pairing ID"), "sessions": (_sessions, None)}
    reports = {}
    for table, (make, key) in kinds.items():
        rows = list(make(day))
        reports[table] = Report(rows[0], rows, key=key)
    return Together(reports, limits=limits)


def _user_numbers(day: date) -> Iterator[int]:
    age = max(0, (day - EPOCH).days)
    gone = age % FIRST_USERS
    return (number for number in range(42, 42 + FIRST_USERS + age // 3) if number - 42 != gone)


def _users(day: date) -> Iterator[Row]:
    for number in _user_numbers(day):
        chance = random.Random(f"user {number}")
        # About one user in ten was seen on any day; nothing else of a user changes.
        seen = day - timedelta(days=(day.toordinal() + number) % 10)
        yield {
            "User ID": f"{number:06d}",
            "Name (Preferred)": chance.choice(("Zoë Müller", "O'Brien, Pat", "李 小龍", 'Al "Ace" Ng')),
            "Email": f"user{number}@example.org",
            "Department": ("", None, "Sales, EMEA", "R&D")[number % 4],
            "Bio": BIOS[number % len(BIOS)],
            "External ID": str(2**53 + number),
            "Joined": str(EPOCH - timedelta(days=chance.randrange(900))),
            "Last Seen (UTC)": f"{seen}T{number % 24:02d}:00:00Z",
            "Active?": chance.choice(("true", "false")),
            "Legacy Code": None,
        }


def _pairings(day: date) -> Iterator[Row]:
    users = list(_user_numbers(day))
    for number, (mentor, mentee) in enumerate(zip(users[::2], users[1::2], strict=False)):
        yield {
            "Pairing ID": f"P-{mentor:06d}-{mentee:06d}",
            "Mentor [User ID]": f"{mentor:06d}",
            "Mentee [User ID]": f"{mentee:06d}",
            "Match Score (%)": ("87.50", "100", "9.5", "1.10", None)[number % 5],
            "Status": ("active", "paused", "", "ended")[(number + day.toordinal() // 7) % 4],
            "Goals; Notes": BIOS[number * 5 % len(BIOS)],
        }


def _sessions(day: date) -> Iterator[Row]:
    for number in range(300):
        held = day - timedelta(days=number // 5)
        chance = random.Random(f"session {held} {number % 5}")
        yield {
            "Mentor [User ID]": f"{chance.randrange(42, 42 + FIRST_USERS):06d}",
            "Held At": f"{held}T{9 + number % 5:02d}:{chance.randrange(60):02d}:00.000Z",
            "Duration (min)": str(chance.choice((15, 30, 45, 60))),
            "Rating": chance.choice(("5", "4.5", "", None)),
            "Feedback": chance.choice(BIOS),
        }
