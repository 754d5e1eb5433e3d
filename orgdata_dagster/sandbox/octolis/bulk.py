"""A dataset of hundreds of thousands of records for benchmarks, which is rendered once, at the start.

Here: records as lines of JSON, newest first; a page joins its lines.
Add here when: a benchmark needs records of another shape.
Keep out: records that change (`dataset`) and awkward ones (`demo_data`).
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.limits import UNLIMITED, Limits
from orgdata_dagster.sandbox.octolis import problems
from orgdata_dagster.sandbox.octolis.api import Octolis
from orgdata_dagster.sandbox.octolis.columns import MASTERID, Column

BULK = "bulk"

COLUMNS = (
    Column("email"), Column("firstname"), Column("points", "integer"), Column("ratio", "float"),
    Column("consent_sms", "boolean"), Column("born_at", "timestamp"), Column("tags", "list"), Column("note"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A record that never changes."""

    json: bytes

    def public(self) -> dict[str, Any]:
        """The record as an object."""
        values: dict[str, Any] = json.loads(self.json)
        return values

    def value(self, name: str) -> Any:
        """One value of the record."""
        return self.public().get(name)


class BulkDataset:
    """So many records. Ten share each `__modified_at__`; these instants go back from `end` in steps of 10 ms."""

    def __init__(self, records: int, end: datetime) -> None:
        self.columns = {column.name: column for column in COLUMNS}
        self._places: dict[str, int] | None = None
        newest = np.datetime64(instants.from_datetime(end) // 1000, "ms")
        stamps = np.datetime_as_string(newest - np.arange(records) // 10 * np.timedelta64(10, "ms"))
        middles = [_middle(number) for number in range(1000)]
        self._lines = [
            Line(
                f'{{"email":"user{number}@example.org",{middles[number % 1000]},"__modified_at__":"{stamp}Z",'
                f'"__masterid__":"{_masterid(number)}","__created_at__":"2026-01-01T08:00:00.125Z",'
                f'"__updated_at__":"{stamp}Z"}}'.encode()
            )
            for number, stamp in zip(range(records, 0, -1), stamps.tolist(), strict=True)
        ]

    def newest_first(self) -> Sequence[Line]:
        """All records."""
        return self._lines

    def get(self, masterid: str) -> Line:
        """The record. Raises Problem if there is none."""
        if self._places is None:
            self._places = {record.public()[MASTERID]: place for place, record in enumerate(self._lines)}
        if masterid not in self._places:
            raise problems.not_found(f"Record {masterid}")
        return self._lines[self._places[masterid]]

    def pieces(self) -> Iterator[bytes]:
        """Every record as a line of JSON, if there are too many for `truth`."""
        return (line.json + b"\n" for line in self._lines)

    def truth(self) -> list[dict[str, Any]]:
        """Every record, newest first."""
        return [record.public() for record in self._lines]


def bulk(
    records: int = 500_000, *, now: Callable[[], datetime] = instants.utc_now, limits: Limits = UNLIMITED
) -> Octolis:
    """The vendor with one dataset, `bulk`. A record has about 350 bytes."""
    return Octolis(now=now, limits=limits, bulk={BULK: BulkDataset(records, now())})


def _masterid(number: int) -> str:
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))


def _middle(number: int) -> str:
    """The text between a record's number and its timestamps. It repeats, which makes building fast."""
    values = {
        "firstname": ("Zoë", "Jeanne", "李", None)[number % 4],
        "points": number * 7 - 500,
        "ratio": number % 997 / 8,
        "consent_sms": (True, False, None)[number % 3],
        "born_at": f"19{number % 90 + 10}-06-23 00:00:00",
        "tags": [["a", "b"], [], None][number % 3],
        "note": ("", "plain words of a note", None, "N/A")[number % 7 % 4],
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))[1:-1]
