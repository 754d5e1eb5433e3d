"""Reading a whole list although its rows move during the walk over its pages (docs/adr/0006).

Here: when a walk over all pages is accepted as complete, and when it is repeated; a pure function over "walk once".
Keep out: the next page (paginators.py), requests (a vendor's client.py).

With page numbers and offsets, a row that leaves the list, or that moves to its end because it was changed, makes all
later rows move up. One of them may then move from a page that is not read yet to a page that was read already, and is
missed. For a list in any order, there are three proofs that no row was missed:

- The total is the same on every page, and equals the number of different keys. The only exception: between the same
  two requests one row was deleted and another one added. Such a walk is therefore accepted only if no row has changed
  since it began, or if the next walk returns the same keys in the same order, because it would include the added row.
- Two consecutive walks return the same rows in the same order, none twice: nothing moved.
- The list is sorted by the instant of the last change, newest first. A changed row then moves to the front, and the
  others move back, so that some are read twice. Rows move up only if some have left the list. The total then falls, and
  the paginator steps back. The rows that are missing at the end were changed during the walk, and another walk reads
  them. A walk with an empty page proves nothing, because its rows may be missing.

With a cursor, no row can be missed, because a page begins after a row instead of at a position. A list of one page is
read at one moment.

Two kinds of walks are never accepted, because the vendor contradicts itself: a walk whose total is less than half of
the rows that were read, and a walk without rows after a walk with rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

P = TypeVar("P")

WALKS = 5
RESTLESS = f"rows moved during each of {WALKS} walks, so that one may be missing; the next pull reads it again"

Proof = Literal["the total matches", "two walks agree", "newest first", "end of list reached"]
"""The proof that a walk has every row. The last one, UNPROVEN, relies on the vendor alone."""
UNPROVEN: Proof = "end of list reached"
NOT_PROVEN = "complete by the vendor's word only, because the list has no total to compare with"
"""UNPROVEN in words, for users."""


@dataclass(frozen=True)
class WalkedPage(Generic[P]):
    """A page of a walk.

    keys: the keys of its rows.
    total: the vendor's number of rows; None if it has none.
    newest_first: whether its rows are in the order of their last change, newest first.
    stands_at_row: whether the page begins after a row, instead of at a position.
    unchanged: whether none of its rows was added or changed since the walk began.
    content: a hash of its rows with all values.
    may_continue: why the list may continue after this page; None if it does not.
    """

    page: P
    keys: tuple[str, ...]
    total: int | None = None
    newest_first: bool = False
    stands_at_row: bool = False
    unchanged: bool = False
    content: str = ""
    may_continue: str | None = None


@dataclass(frozen=True)
class Walked(Generic[P]):
    """The pages of one or more walks, which together contain every row, some more than once.

    proof: what proves that they are complete; None if a row may be missing.
    reason: why a row may be missing; None if the pages are complete.
    """

    pages: tuple[P, ...]
    proof: Proof | None
    reason: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it is proven that no row is missing."""
        return self.proof is not None


def walk_until_complete(
    once: Callable[[], Iterable[WalkedPage[P]]], *, newest_first: bool = False, walks: int = WALKS
) -> Walked[P]:
    """Walk until a walk is proven complete, at most `walks` times.

    newest_first: whether this order was requested. It is used only if the vendor's answers have it.
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
        has_total = None not in totals
        contradicted = has_total and 2 * (answers[-1].total or 0) < len(keys | {*seen})
        steady = len(answers) == 1 or all(answer.stands_at_row for answer in answers)
        in_order = newest_first and all(answer.newest_first for answer in answers)
        if keys and not seen:  # rows may have left since the last walk, but not all of them
            pages += mine
            reason = "the vendor answers without rows, although it had rows a moment ago"
            continue
        matched = totals == {len({*seen})}
        if matched and (steady or in_order or all(answer.unchanged for answer in answers)):
            return Walked(mine, "the total matches")
        if matched and seen == matched_before:
            return Walked(mine, "two walks agree")
        matched_before = seen if matched else None
        if (may_continue := answers[-1].may_continue) is not None:
            return Walked(mine, None, may_continue)
        if steady and not has_total:
            return Walked(mine, UNPROVEN)
        reason = _reason(answers, len(keys | {*seen}), steady=steady)
        content = [answer.content for answer in answers]
        if not has_total and content == before and len({*seen}) == len(seen):
            return Walked(mine, "two walks agree")
        before = content
        pages += mine
        keys |= {*seen}
        # an empty page has no order: rows may be missing from it
        shows_order = in_order and all(answer.keys for answer in answers)
        if shows_order and has_total and not contradicted and len(keys) >= (answers[-1].total or 0):
            return Walked(tuple(pages), "newest first")
    return Walked(tuple(pages), None, reason)


def _reason(answers: Sequence[WalkedPage[P]], came: int, *, steady: bool) -> str:
    """Why this walk proves nothing. `came`: number of rows of all walks."""
    totals = {answer.total for answer in answers}
    if len(totals) == 1 and None not in totals and (steady or not all(answer.keys for answer in answers)):
        return f"the vendor counts {answers[-1].total} rows, but {came} were received"
    return RESTLESS
