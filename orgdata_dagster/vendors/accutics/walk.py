"""Reading a whole list while its rows move (docs/adr/0006).

Here: when a walk over all pages is accepted, and when it is repeated; a pure function over "walk once".
Keep out: which page comes next (paging.py), requests (client.py).

With page numbers, a row that leaves the list or moves to its end makes all later rows move up, and one of them may
cross a page border unseen. A walk is accepted in two cases:

- `total_items` was the same on every page and equals the number of different keys.
- The list is sorted by the last change, newest first. A changed row then moves to the front and pushes the others back
  (some are read twice). Rows move up only if rows have left; then `total_items` falls, and the paginator steps back.
  What is missing at the end are rows that changed meanwhile, which another walk reads.

A cursor stands behind a row, not at a position, so no row can cross it.

A walk with a total under half of the rows read is never accepted: the vendor contradicts itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")

WALKS = 5


@dataclass(frozen=True)
class Answer(Generic[P]):
    """A page, the keys of its rows, and `total_items` (None for a list by cursor).

    newest_first: its rows are in the order of their last change, newest first.
    """

    page: P
    keys: tuple[str, ...]
    total: int | None = None
    newest_first: bool = False


@dataclass(frozen=True)
class Walked(Generic[P]):
    """Pages with every row of a list, some more than once. Not `settled`: a row may be missing."""

    pages: tuple[P, ...]
    settled: bool


def settle(once: Callable[[], Iterable[Answer[P]]], *, newest_first: bool = False, walks: int = WALKS) -> Walked[P]:
    """Walk until a walk is accepted, at most `walks` times.

    newest_first: the list was requested in that order; it counts only if the vendor kept it.
    """
    pages: list[P] = []
    keys: set[str] = set()
    for _ in range(walks):
        answers = list(once())
        if answers[-1].total is None:
            return Walked(tuple(answer.page for answer in answers), settled=True)
        seen = {key for answer in answers for key in answer.keys}
        total = answers[-1].total
        contradicted = 2 * total < len(keys | seen)
        if not contradicted and {answer.total for answer in answers} == {len(seen)}:
            return Walked(tuple(answer.page for answer in answers), settled=True)
        pages += [answer.page for answer in answers]
        keys |= seen
        ordered = newest_first and all(answer.newest_first for answer in answers)
        if ordered and not contradicted and len(keys) >= total:
            return Walked(tuple(pages), settled=True)
    return Walked(tuple(pages), settled=False)
