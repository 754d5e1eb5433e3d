"""Answers that contradict the stored rows: no rows, or far fewer rows than the warehouse has.

Here: `contradiction` and `shrank`, which every vendor's pull calls with the number of rows it received, and
`keep_stored`, the result of a pull whose answer is not accepted. Add here: another sign of a wrong answer.
Keep out: contradictions between the answers of one walk (a vendor's walk.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.warehouse.ledger.intervals import Interval

REPETITIONS = 2  # number of times that a request is repeated if its answer contradicts the stored rows
_MUCH = 10  # rows; a partition that lost fewer is not worth another request


def contradiction(
    intake: Intake, received: int, values: Mapping[str, str] | None = None, *, after: datetime | None = None
) -> str | None:
    """Why an answer without rows is not accepted: it would delete stored rows. None if it is accepted.

    received: number of rows in the answer.
    values, after: the partition's rows that the answer covers, see Intake.stored.
    """
    if received or intake.accept_shrink:
        return None
    stored = intake.stored(values or {}, after)
    if not stored:
        return None
    rows = counted(stored, "row", "are")
    return until_accepted(f"the vendor answers without rows{_of(values)}, also when asked again, but {rows} stored")


def until_accepted(why: str) -> str:
    """The reason of an incomplete partition whose stored rows are kept because of `why`, with the way to end that."""
    return (
        f"{why}; the stored rows are kept, and this is incomplete until the vendor sends rows. If the vendor has "
        f"really deleted them, accept that: pull with --accept-shrink (run tag {ACCEPT_SHRINK_TAG}=true)"
    )


def shrank(
    intake: Intake, received: int, values: Mapping[str, str] | None = None, *, after: datetime | None = None
) -> str | None:
    """A description of an answer that has rows, but less than half of the stored number; else None.

    Such an answer may have been cut off, so that the caller repeats the request once. If the next answer is the same,
    it is accepted, and the check `volume` reports it. A partition that is pulled for the first time is not checked.

    The arguments are those of `contradiction`.
    """
    if not received or not intake.known or intake.accept_shrink:
        return None
    stored = intake.stored(values or {}, after)
    if 2 * received >= stored or stored - received < _MUCH:
        return None
    return f"{intake.partition or 'now'}: {counted(received, 'row')}{_of(values)}, {stored} were stored before"


def keep_stored(as_of: datetime, start: datetime, end: datetime, reason: str, *before: Interval) -> Pulled:
    """The result of a pull that keeps the stored rows.

    reason: why `[start, end)` is not complete.
    before: intervals before it whose coverage is known.
    """
    return Pulled(as_of, coverage=(*before, Interval(start, end, reason)), contradicted=True)


def _of(values: Mapping[str, str] | None) -> str:
    return "".join(f" of {name} {value}" for name, value in (values or {}).items())
