"""Reading a whole list although its rows move while it is paged (docs/adr/0006).

Here: when a walk over all pages is to be believed, and when it is repeated; a pure function over "walk once".
Keep out: which page comes next (paginators.py), requests (a vendor's client.py).

With page numbers and offsets a row that leaves the list, or moves to its end because it was touched, makes all rows
behind it move up: one of them passes the border between two pages unseen. Three things tell, for a list in any order:

- The total was the same on every page, and so many different keys were seen: nothing passed unseen, unless a row was
  deleted and another one added between the same two requests. Such a walk is believed if no row has changed since it
  began, or if the next one brought the same keys in the same order: it would have the added row.
- Two walks, one after the other, brought the same rows in the same order, none twice: nothing moved.
- The list is sorted by the instant of the last change, newest first. A touched row then moves to the front and pushes
  the others back (some are seen twice); rows move up only where some have left, so that the total fell, for which the
  paginator steps back. What is missing at the end are rows that were touched meanwhile: another walk has them. A walk
  with an empty page shows nothing: its rows may be missing.

A cursor stands behind a row, not at a place: nothing can pass it unseen. A list of one page is read at one moment.

Two walks are never accepted, because the vendor contradicts itself: one whose total is under half of the rows that it
read, and one without a row after one with rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

P = TypeVar("P")

WALKS = 5
RESTLESS = f"rows moved during each of {WALKS} walks, so that one may be missing; the next pull reads it again"

Proof = Literal["the total matches", "two walks agree", "newest first", "end of list reached"]
"""What shows that a walk has every row. The last one is the vendor's word alone."""


@dataclass(frozen=True)
class Answer(Generic[P]):
    """A page, the keys of its rows, and the total (None where the vendor tells none).

    `newest_first`: its rows are in the order of their last change, newest first. `stands_at_row`: the page began behind
    a row. `unchanged`: none of its rows was added or changed since the walk began. `content`: what tells its rows, with
    their values, from others. `doubt`: why the list may go on behind it.
    """

    page: P
    keys: tuple[str, ...]
    total: int | None = None
    newest_first: bool = False
    stands_at_row: bool = False
    unchanged: bool = False
    content: str = ""
    doubt: str | None = None


@dataclass(frozen=True)
class Walked(Generic[P]):
    """Pages that together hold every row, some more than once. `proof`: what shows that; None: a row may be missing,
    for this `reason`."""

    pages: tuple[P, ...]
    proof: Proof | None
    reason: str | None = None

    @property
    def settled(self) -> bool:
        """Whether every row is there."""
        return self.proof is not None


def settle(once: Callable[[], Iterable[Answer[P]]], *, newest_first: bool = False, walks: int = WALKS) -> Walked[P]:
    """Walk until a walk is to be believed, at most `walks` times.

    `newest_first`: the list was asked for in that order; it counts only if the vendor kept to it.
    """
    pages: list[P] = []
    keys: set[str] = set()
    before: list[str] | None = None
    matched_before: list[str] | None = None
    reason = RESTLESS
    for _ in range(walks):
        answers = list(once())
        mine = tuple(answer.page for answer in answers)
        seen = [key for answer in answers for key in answer.keys]
        totals = {answer.total for answer in answers}
        is_told = None not in totals
        contradicted = is_told and 2 * (answers[-1].total or 0) < len(keys | {*seen})
        steady = len(answers) == 1 or all(answer.stands_at_row for answer in answers)
        in_order = newest_first and all(answer.newest_first for answer in answers)
        if keys and not seen:  # rows may have left since the last walk, but not all of them
            pages += mine
            reason = "the vendor answers with no row, where it had rows a moment ago"
            continue
        matched = totals == {len({*seen})}
        if matched and (steady or in_order or all(answer.unchanged for answer in answers)):
            return Walked(mine, "the total matches")
        if matched and seen == matched_before:
            return Walked(mine, "two walks agree")
        matched_before = seen if matched else None
        if (doubt := answers[-1].doubt) is not None:
            return Walked(mine, None, doubt)
        if steady and not is_told:
            return Walked(mine, "end of list reached")
        reason = _reason(answers, len(keys | {*seen}), steady=steady)
        content = [answer.content for answer in answers]
        if not is_told and content == before and len({*seen}) == len(seen):
            return Walked(mine, "two walks agree")
        before = content
        pages += mine
        keys |= {*seen}
        # a page without rows shows no order: rows may be missing from it
        shows_order = in_order and all(answer.keys for answer in answers)
        if shows_order and is_told and not contradicted and len(keys) >= (answers[-1].total or 0):
            return Walked(tuple(pages), "newest first")
    return Walked(tuple(pages), None, reason)


def _reason(answers: Sequence[Answer[P]], came: int, *, steady: bool) -> str:
    """Why this walk shows nothing, so far as it says more than that rows moved. `came`: rows of all walks."""
    totals = {answer.total for answer in answers}
    if len(totals) == 1 and None not in totals and (steady or not all(answer.keys for answer in answers)):
        return f"the vendor counts {answers[-1].total} rows, and {came} came"
    return RESTLESS
