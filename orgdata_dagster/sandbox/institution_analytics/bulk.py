"""A data set of millions of rows for benchmarks, built in seconds and served without handling single rows.

Here: rows as one block of bytes, newest first, with the place and age of each line, so that a page is a slice.
Add here when: a benchmark needs data of another shape.
Keep out: rows that change (`data_set`) and awkward rows (`demo_data`).
"""

import csv
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.instants import utc_now
from orgdata_dagster.sandbox.institution_analytics.api import InstitutionAnalytics
from orgdata_dagster.sandbox.institution_analytics.data_set import CsvPage
from orgdata_dagster.sandbox.limits import UNLIMITED, Limits
from orgdata_dagster.sandbox.vendor import Row

CHUNK = 10_000  # lines joined at a time, so that building needs no list of all of them


class BulkDataSet:
    """Rows evenly spread over `span` microseconds up to the instant `end`; no ties, and they cannot change.

    Raises ValueError for more rows than microseconds.
    """

    header = b"id,user_id,course_id,kind,score,amount,passed,note,updated_date\n"

    def __init__(self, rows: int, end: int, span: int) -> None:
        step = span // rows
        if step < 1:
            raise ValueError("more rows than microseconds")
        self._end = end
        self._ages = array("q", range(0, rows * step, step))  # microseconds before `end`
        self._lines = bytearray()
        self._places = array("q", [0])  # where each line begins, and finally where the block ends
        for first in range(0, rows, CHUNK):
            lines = _lines(rows - first, end - np.array(self._ages[first : first + CHUNK]))
            ends = accumulate(map(len, lines), initial=len(self._lines))
            next(ends)
            self._places.extend(ends)
            self._lines += "".join(lines).encode("ascii")

    def __len__(self) -> int:
        return len(self._ages)

    def page(self, after: int, before: int, limit: int) -> CsvPage:
        """The newest `limit` rows with `after < updated_date <= before`, newest first."""
        first = bisect_left(self._ages, self._end - before)
        last = max(first, min(first + limit, bisect_left(self._ages, self._end - after)))
        return CsvPage(bytes(memoryview(self._lines)[self._places[first] : self._places[last]]), last - first)

    def pieces(self) -> Iterator[bytes | bytearray]:
        """All rows as one CSV, if there are too many for `truth`."""
        yield self.header
        yield self._lines

    def truth(self) -> list[Row]:
        """Every row as text, newest first. Nothing is quoted, so empty fields are missing values."""
        reader = csv.DictReader((self.header + self._lines).decode("ascii").splitlines())
        return [{name: value or None for name, value in row.items()} for row in reader]


def bulk(
    rows: int = 1_000_000,
    *,
    page_rows: int = 20_000,
    days: float = 7,
    now: Callable[[], datetime] = utc_now,
    limits: Limits = UNLIMITED,
) -> InstitutionAnalytics:
    """The vendor with one data set, `events`. Its rows, of 93 bytes each, are spread over the days up to `now`."""
    events = BulkDataSet(rows, instants.from_datetime(now()), int(days * instants.DAY))
    return InstitutionAnalytics(page_rows=page_rows, now=now, limits=limits, read_only={"events": events})


_KINDS = ("login", "view", "submit", "grade")
_NOTES = ("", "plain words of a note that is longer", "another note", "N/A")


@lru_cache
def _middles() -> list[str]:
    """The texts between a line's number and its timestamp. They repeat, which makes building fast."""
    return [
        f"{n * 7 % 90_000:07d},C-{n % 400},{_KINDS[n % 4]},{n % 1000 / 10},{n % 9973}.{n % 100:02d},"
        f"{'true' if n % 3 else 'false'},{_NOTES[n % 7 % 4]}"
        for n in range(10_000)
    ]


def _lines(last: int, at: NDArray[np.int64]) -> list[str]:
    """One line for each of these instants (microseconds), numbered downwards from `last`."""
    middles = _middles()
    stamps = np.datetime_as_string(at.astype("M8[us]"), unit="us").tolist()
    return [
        f"{number},{middles[number % len(middles)]},{stamp}Z\n"
        for number, stamp in zip(range(last, 0, -1), stamps, strict=False)
    ]
