"""Answers that contradict what is stored: when an empty answer is not believed, and what becomes of the partition.

Here: `doubt`, the question that every vendor's pull asks of an answer without rows, and `keep_stored`, what it says
then. Add here: another sign by which an answer contradicts what is stored. Keep out: contradictions among the answers
of one walk (a vendor's walk.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.warehouse.ledger.intervals import Interval

ASKED_AGAIN = 2  # repetitions of a request whose answer contradicts the stored rows
_MUCH = 10  # rows; a partition that lost fewer is not worth another request


def doubt(
    intake: Intake, came: int, values: Mapping[str, str] | None = None, *, after: datetime | None = None
) -> str | None:
    """Why an answer of no rows is not believed: rows are stored that it would take away. None: it may be.

    `values` and `after`: which of the partition's rows the answer is about, see Intake.stored.
    """
    if came or intake.accept_shrink:
        return None
    stored = intake.stored(values or {}, after)
    if not stored:
        return None
    which = "".join(f" of {name} {value}" for name, value in (values or {}).items())
    return until_accepted(
        f"the vendor answers with no row{which} where {stored} are stored, also when it is asked again"
    )


def until_accepted(why: str) -> str:
    """The reason of a partition whose stored rows are kept because of `why`, and what ends that."""
    return (
        f"{why}; the stored rows are kept, and this stays incomplete until rows come. If they are gone at the vendor "
        f"indeed, accept that: pull with --accept-shrink (run tag {ACCEPT_SHRINK_TAG}=true)"
    )


def shrank(
    intake: Intake, came: int, values: Mapping[str, str] | None = None, *, after: datetime | None = None
) -> str | None:
    """How an answer is odd that has less than half of the stored rows, though not none. It is worth another request:
    an answer that was cut looks like that. If the next one is the same, it is believed, and the check `volume` tells.

    The arguments are those of `doubt`. Partitions that are pulled for the first time are not looked up.
    """
    if not came or not intake.known or intake.accept_shrink:
        return None
    stored = intake.stored(values or {}, after)
    if 2 * came >= stored or stored - came < _MUCH:
        return None
    which = "".join(f" of {name} {value}" for name, value in (values or {}).items())
    return f"{intake.partition or 'now'}: {came} rows{which}, {stored} were stored before"


def keep_stored(as_of: datetime, start: datetime, end: datetime, reason: str, *before: Interval) -> Pulled:
    """The result of a pull that keeps the stored rows; `reason`: why `[start, end)` is not complete."""
    return Pulled(as_of, coverage=(*before, Interval(start, end, reason)), doubted=True)
