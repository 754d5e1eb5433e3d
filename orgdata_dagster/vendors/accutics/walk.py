"""Reading a whole list although its rows move while it is paged.

Here: when a walk over all pages is to be believed, and when it is repeated; a pure function over "walk once".
Keep out: which page comes next (paging.py), requests (client.py).

With page numbers a row that leaves the list, or moves to its end because it was touched, makes all rows behind it move
up: one of them passes the border between two pages unseen. Two things tell, for a list in any order:

- `total_items` was the same on every page, and so many different keys were seen: nothing passed unseen.
- The list is sorted by the instant of the last change, newest first. A touched row then moves to the front and pushes
  the others back (some are seen twice); rows move up only where some have left, so that `total_items` fell, for which
  the paginator steps back. What is missing at the end are rows that were touched meanwhile: another walk has them.

A cursor stands behind a row, not at a place: nothing can pass it unseen.

A total under half of the rows that were seen is no movement but a contradiction: no walk with one is to be believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")

WALKS = 5


@dataclass(frozen=True)
class Answer(Generic[P]):
    """A page, the keys of its rows, and `total_items` (None where the list pages by cursor).

    `newest_first`: its rows are in the order of their last change, newest first."""

    page: P
    keys: tuple[str, ...]
    total: int | None = None
    newest_first: bool = False


@dataclass(frozen=True)
class Walked(Generic[P]):
    """Pages that together hold every row, some more than once. Not `settled`: a row may be missing all the same."""

    pages: tuple[P, ...]
    settled: bool


def settle(once: Callable[[], Iterable[Answer[P]]], *, newest_first: bool = False, walks: int = WALKS) -> Walked[P]:
    """Walk until a walk is to be believed, at most `walks` times.

    `newest_first`: the list was asked for in that order; it counts only if the vendor kept to it.
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
