"""Made-up entities, nested and awkward on purpose: what has broken flattening, paging and types elsewhere.

Here: `submissions`, `records`, `inputs` and `users` of the last days, the same for the same moment and seed.
Add here when: a value or an instant is found that a pull could lose or change.
Keep out: rows without end; a benchmark makes its own.
"""

import itertools
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics.api import POLITE, Accutics
from orgdata_dagster.sandbox.accutics.entity import Entity
from orgdata_dagster.sandbox.accutics.search import Dimension
from orgdata_dagster.sandbox.limits import Limits

EMPTY_DAY = 4  # days before today on which nothing changed

NAMES = (
    "Q1 launch",
    "naïve café",
    "👩🏽 東京",
    'said "no"',
    "a, b; c: d",
    "LF\ninside",
    "100%_done",
    "null",
    "00123",
    "",
)
MEDIA = ("paid_search", "email", "social", None)
TAGS: tuple[list[str] | None, ...] = (["foo", "bar"], ["foo"], [], None, ["baz", "foo", "é"])
STATUSES = ("unmatched", "out_of_sync", "outdated", "synced")

TIMES = {"created_at": Dimension("timestamp", "created_at"), "updated_at": Dimension("timestamp", "updated_at")}
PEOPLE = {
    "author": Dimension("text", "author.name", ("author.email",)),
    "updater": Dimension("text", "updater.name", ("updater.email",)),
}
DIMENSIONS: dict[str, dict[str, Dimension]] = {
    "submissions": {
        "id": Dimension("id", "id"),
        "submission": Dimension("text", "name"),
        "status": Dimension("select", "status"),
        **PEOPLE,
        **TIMES,
    },
    "records": {
        "id": Dimension("id", "id"),
        "record_id": Dimension("id", "id"),
        "submission": Dimension("text", "submission.name"),
        "input_medium": Dimension("select", "inputs.medium"),
        "input_segment": Dimension("text", "inputs.segment"),
        "input_tags": Dimension("multiselect", "inputs.tags"),
        "input_start_date": Dimension("timestamp", "inputs.start_date"),
        "input_budget": Dimension("number", "inputs.budget"),
        "output_utm_campaign": Dimension("text", "outputs.utm_campaign"),
        "match_status": Dimension("status", "match_status"),
        **PEOPLE,
        **TIMES,
    },
    "inputs": {
        "id": Dimension("number", "id"),
        "key": Dimension("text", "key"),
        "kind": Dimension("select", "kind"),
        **TIMES,
    },
    "users": {
        "id": Dimension("id", "id"),
        "email": Dimension("text", "email"),
        "roles": Dimension("multiselect", "roles"),
    },
}
SHARES = {"submissions": 0.25, "records": 0.65, "inputs": 0.05, "users": 0.05}

Make = Callable[[int, random.Random], dict[str, Any]]


def demo(
    *,
    now: Callable[[], datetime] = instants.utc_now,
    days: int = 10,
    rows: int = 4_000,
    seed: int = 0,
    limits: Limits = POLITE,
) -> Accutics:
    """The vendor with about `rows` rows in total, which changed during the `days` days up to `now`."""
    made_at = now()

    def rows_of(name: str, make: Make) -> list[dict[str, Any]]:
        chance = random.Random(f"{seed}/{name}")
        stamps = _updated_dates(made_at, days, max(1, round(rows * SHARES[name] / days)), chance)
        return [{**make(number, chance), "updated_at": stamp} for number, stamp in enumerate(stamps)]

    def entity(
        name: str, make: Make, paging: Literal["page", "cursor"], most: int, sort: str, by: Sequence[str]
    ) -> Entity:
        return Entity(
            name, paging, DIMENSIONS[name], rows_of(name, make),
            max_page_size=most, default_sort=sort, sortable=by, updated_at=name != "users", now=now,
        )  # fmt: skip

    return Accutics(
        [
            entity(
                "submissions", _submission, "page", 100, "updated_at", ["id", "submission", "created_at", "updated_at"]
            ),
            entity("records", _record, "cursor", 500, "", []),
            entity("inputs", _input, "page", 50, "updated_at", ["id", "key", "updated_at"]),
            entity("users", _user, "page", 100, "email", ["id", "email"]),
        ],
        limits=limits,
        now=now,
    )


def _updated_dates(now: datetime, days: int, per_day: int, chance: random.Random) -> list[str]:
    """Timestamps in any order, none in the future: borders of days, fractions of a second, random ones, ties."""
    until = instants.from_datetime(now)
    found = [at for day in _days(now, days) for at in itertools.islice(_instants(day, chance), per_day)]
    past = [at for at in found if at <= until]
    chance.shuffle(past)
    return [instants.to_text(at, 3) for at in past]


def _days(now: datetime, days: int) -> Iterable[date]:
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=back) for back in reversed(range(days)) if back != EMPTY_DAY]


def _instants(day: date, chance: random.Random) -> Iterator[int]:
    midnight = instants.from_datetime(datetime.combine(day, time(), UTC))
    noon, end = midnight + instants.DAY // 2, midnight + instants.DAY
    yield from (
        midnight,
        end - 1_000,
        end - 999_000,
        noon,
        noon + 1_000,
        noon + 500_000,
        noon + 999_000,
        midnight + 1_000,
    )
    while True:
        at = midnight + chance.randrange(86_400_000) * 1_000
        yield from [at] * chance.choices((1, 2, 7), (60, 3, 2))[0]


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _person(number: int) -> dict[str, Any]:
    return {
        "id": f"u-{number:04d}",
        "name": ("Zoë Müller", "O'Brien, Pat", "李 小龍")[number % 3],
        "email": f"p{number}@example.org",
    }


def _submission(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": _id(chance),
        "name": NAMES[number % len(NAMES)],
        "status": chance.choice(("draft", "submitted", "approved")),
        "author": _person(number % 17),
        "updater": _person(number % 5) if number % 3 else None,
        "project": {
            "id": 2**53 + 1 + number,
            "name": "Main",
            "accounts": [{"id": "007", "label": "EU"}, {"id": "008", "label": None}],
        },
        "labels": TAGS[number % len(TAGS)],
        "record_count": chance.randrange(500),
        "created_at": "2025-12-31T23:59:59.999Z",
    }


def _record(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": _id(chance),
        "number": 9_007_199_254_740_993 + number,
        "submission": {"id": f"s-{number % 40}", "name": NAMES[number % 40 % len(NAMES)]},
        "inputs": {
            "medium": MEDIA[number % len(MEDIA)],
            "tags": TAGS[number % len(TAGS)],
            "start_date": f"2026-0{1 + number % 9}-01T00:00:00Z" if number % 4 else None,
            "budget": (0, 1.5, -3, 1234567.89, None)[number % 5],
            **({"segment": ("north", "", None)[number % 3]} if number % 2 else {}),
        },
        "outputs": {"utm_campaign": f"alpha_{number % 90}|{chance.randrange(9)}", "url": "https://example.org/?a=1&b=é#x"},
        "match_status": STATUSES[number % len(STATUSES)],
        "history": [{"version": n, "by": _person(n), "note": (None, "", "x")[n % 3]} for n in range(number % 3)],
        "author": _person(number % 17),
        "updater": None,
        "created_at": f"2026-01-{1 + number % 28:02d}T08:00:00.{number % 1000:03d}Z",
    }  # fmt: skip


def _input(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": number + 1,
        "key": f"field_{number}",
        "kind": chance.choice(("select", "multiselect", "text", "date")),
        "options": [{"key": f"{n:02d}", "label": NAMES[n]} for n in range(number % 4)],
        "validation": {"required": number % 2 == 0, "pattern": r"^\d+$", "range": [0, 2.5]} if number % 3 else None,
        "created_at": "2026-01-01T00:00:00.000Z",
    }


def _user(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        **_person(number),
        "id": f"u-{number:04d}",
        "roles": chance.choice((["admin"], ["reader", "writer"], [])),
        "settings": {"language": "en", "beta": number % 2 == 0, "limits": {"rows": 10**15 + number}},
        "last_seen": None if number % 3 else "2026-02-29",
    }
