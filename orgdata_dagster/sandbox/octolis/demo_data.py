"""Made-up datasets, awkward on purpose: values that have broken pulls, merges and types elsewhere.

Here: five datasets of the last days, the same for the same instant and seed: `contacts` (one key), `customers` (two
keys, so that upserts merge), `orders` (a key of two columns), `vip` (a SQL dataset) and `nothing` (empty).
Add here when: a value, a tie or a merge is found that a pull or a sync could lose or change.
Keep out: a dataset for benchmarks (`bulk`).
"""

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.limits import Limits
from orgdata_dagster.sandbox.octolis.api import DOCUMENTED, Octolis
from orgdata_dagster.sandbox.octolis.columns import HIGHEST, LOWEST, Column
from orgdata_dagster.sandbox.octolis.dataset import Dataset
from orgdata_dagster.sandbox.octolis.schema import Key
from orgdata_dagster.sandbox.octolis.webhooks import Webhook

DATASETS = {
    "contacts": "5f1c0f52-7a3b-4a57-9d0e-2f6f0c1d0001",
    "customers": "5f1c0f52-7a3b-4a57-9d0e-2f6f0c1d0002",
    "orders": "5f1c0f52-7a3b-4a57-9d0e-2f6f0c1d0003",
    "vip": "77aa0f52-7a3b-4a57-9d0e-2f6f0c1d0004",
    "nothing": "77aa0f52-7a3b-4a57-9d0e-2f6f0c1d0005",
}
"""Name -> id of the demo's datasets."""

WEBHOOK = Webhook("b1f30f52-7a3b-4a57-9d0e-2f6f0c1d0006", frozenset({"POST", "PUT"}), {"x-source": "orgdata"})

WRITE_DELAY = timedelta(milliseconds=223)  # in the examples of the document, written is a little later than "modified"

NOTES = (
    "plain", "", None, 'said "no"', "a,b;c:d", "CR LF\r\ninside", "N/A", "null", "true", "00123", "1e5",
    "2026-01-01", "naïve café", "e\u0301 is not \u00e9", "👩🏽 東京", "\u202eright to left",
    " spaces kept ", "tab\tinside", "[]", "{}",
)  # fmt: skip
NUMBERS = (0, 7, -1, LOWEST, HIGHEST, None)
FLOATS = (0.5, -3.0, 123.456, 0.000001, 999999, None)
TAGS: tuple[list[str] | None, ...] = (["a", "b"], [], None, ["one, two", 'q"'], ["é"])

COLUMNS: dict[str, list[Column]] = {
    "contacts": [
        Column("email"), Column("firstname"), Column("phone"), Column("consent_sms", "boolean", default=False),
        Column("points", "integer"), Column("score", "float"), Column("born_at", "timestamp"), Column("tags", "list"),
        Column("external_id"), Column("note"), Column("origin", default="import", protected=True),
    ],
    "customers": [
        Column("email"), Column("phone"), Column("name"), Column("city", default="Paris"), Column("loyal", "boolean"),
    ],
    "orders": [
        Column("shop"), Column("number"), Column("amount", "float"), Column("currency", default="EUR"),
        Column("paid", "boolean"), Column("ordered_at", "timestamp"), Column("items", "list"),
    ],
    "vip": [Column("email"), Column("firstname"), Column("consent_sms", "boolean"), Column("total", "float")],
    "nothing": [Column("email"), Column("firstname")],
}  # fmt: skip
KEYS: dict[str, list[Key]] = {
    "contacts": [("email",)],
    "customers": [("email",), ("phone",)],
    "orders": [("shop", "number")],
    "vip": [("email",)],
    "nothing": [("email",)],
}
SHARES = {"contacts": 0.6, "customers": 0.15, "orders": 0.2, "vip": 0.05, "nothing": 0.0}

Make = Callable[[int, random.Random], dict[str, Any]]


def demo(
    *,
    now: Callable[[], datetime] = instants.utc_now,
    days: float = 10,
    records: int = 4_000,
    seed: int = 0,
    limits: Limits = DOCUMENTED,
) -> Octolis:
    """The vendor with about `records` records in total, modified over the `days` days up to `now`."""
    made_at = now()
    datasets = []
    for name, dataset_id in DATASETS.items():
        dataset = Dataset(dataset_id, COLUMNS[name], KEYS[name], read_only=name == "vip")
        chance = random.Random(f"{seed}/{name}")
        moments = _moments(round(records * SHARES[name]), made_at, days, chance)
        _fill(dataset, _MAKE[name], moments, chance)
        if name == "customers":
            _merge_some(dataset, made_at)
        dataset.now = now
        datasets.append(dataset)
    return Octolis(datasets, [WEBHOOK], limits=limits, now=now)


def _moments(count: int, until: datetime, days: float, chance: random.Random) -> Iterator[datetime]:
    """So many instants, ascending; about half of them are ties, as batches leave them."""
    at, step = until - timedelta(days=days), timedelta(days=days) / (count + 1)
    left = count
    while left:
        tied = min(left, chance.choices((1, 2, 7, 30), (60, 10, 4, 1))[0])
        yield from [at] * tied
        at += step * tied
        left -= tied


def _fill(dataset: Dataset, make: Make, moments: Iterator[datetime], chance: random.Random) -> None:
    for number, at in enumerate(moments):
        dataset.now = lambda at=at: at + WRITE_DELAY  # type: ignore[misc]
        dataset.upsert(make(number, chance), at)


def _merge_some(dataset: Dataset, made_at: datetime) -> None:
    """Merge some records, by upserts with the email of one and the phone of another."""
    rows = dataset.truth()
    for number in range(1, len(rows) - 20, 40):
        at = made_at - timedelta(minutes=number)
        dataset.now = lambda at=at: at  # type: ignore[misc]
        dataset.upsert({"email": rows[number]["email"], "phone": rows[number + 9]["phone"], "name": "merged"}, at)


def _contact(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "email": f"contact{number}@example.org",
        "firstname": chance.choice(("Jeanne", "Théo", "Zoë", "李", "O'Brien", None, "")),
        "phone": f"00336{number:08d}",
        "points": NUMBERS[number % len(NUMBERS)],
        "score": FLOATS[number % len(FLOATS)],
        "born_at": f"{chance.randrange(1930, 2010)}-0{chance.randrange(1, 10)}-28 00:00:00",
        "tags": TAGS[number % len(TAGS)],
        "external_id": f"{number:06d}",
        "note": NOTES[number % len(NOTES)],
        **({"consent_sms": (True, None)[number % 2]} if number % 3 else {}),
    }


def _customer(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "email": f"customer{number}@example.org" if number % 5 else None,
        "phone": f"+44{number:09d}",
        "name": chance.choice(("Pat", "Renée", "Ng", None)),
        "loyal": chance.choice((True, False, None)),
    }


def _order(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "shop": ("Lyon", "Köln", "京都")[number % 3],
        "number": f"{number // 3:05d}",
        "amount": chance.randrange(100_000) / 100,
        "paid": chance.choice((True, False)),
        "ordered_at": f"2026-0{chance.randrange(1, 10)}-15 12:{chance.randrange(60):02d}:00",
        "items": [f"item {n}" for n in range(number % 4)],
    }


def _vip(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "email": f"contact{number}@example.org",
        "firstname": chance.choice(("Jeanne", "Théo")),
        "consent_sms": chance.choice((True, False, None)),
        "total": number / 4,
    }


_MAKE: Mapping[str, Make] = {
    "contacts": _contact, "customers": _customer, "orders": _order, "vip": _vip, "nothing": _vip,
}  # fmt: skip
