"""Intervals of time: arithmetic on the coverage of a table.

Here: `Interval` and pure functions on sequences of them. Add here: another calculation.
Keep out: reading and writing `_orgdata.coverage` (coverage.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The start of an interval that includes everything that the vendor has."""


@dataclass(frozen=True)
class Interval:
    """An interval `[start, end)` that a load covers.

    reason: why the interval is not complete; None if it is complete.
    proof: what shows that it is complete, for tables with several kinds of proof.
    """

    start: datetime
    end: datetime
    reason: str | None = None
    proof: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the table contains everything that the vendor has for this interval."""
        return self.reason is None


def intervals(start: datetime, end: datetime, gaps: Iterable[Interval]) -> tuple[Interval, ...]:
    """Split `[start, end)` into complete intervals and the gaps, in order. Empty if `end` is not after `start`."""
    result: list[Interval] = []
    at = start
    for gap in sorted(gaps, key=lambda gap: gap.start):
        if gap.start >= end:
            break
        if gap.start > at:
            result.append(Interval(at, gap.start))
        result.append(gap)
        at = gap.end
    if end > at:
        result.append(Interval(at, end))
    return tuple(result)


def joined(parts: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same coverage, with adjacent complete intervals joined."""
    result: list[Interval] = []
    for part in sorted(parts, key=lambda part: part.start):
        if result and part.complete and result[-1].complete and result[-1].end == part.start:
            proof = "; ".join(dict.fromkeys(filter(None, (result[-1].proof, part.proof)))) or None
            result[-1] = Interval(result[-1].start, part.end, proof=proof)
        else:
            result.append(part)
    return tuple(result)


def until(parts: Iterable[Interval], end: datetime) -> tuple[Interval, ...]:
    """The part of the coverage before `end`."""
    return tuple(part if part.end <= end else replace(part, end=end) for part in parts if part.start < end)
