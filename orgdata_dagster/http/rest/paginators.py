"""Paginators (dlt's word): objects that ask for one page after the other, chosen in YAML and never guessed.

Here: the rule of each kind of paging: which page is next, and when the list has ended. Add here: another paging.
Keep out: sending (a vendor's client.py), rows that move while they are paged (walk.py), cursors and links (told.py).

| class                 | the next page                       | the list ends                                  |
|-----------------------|-------------------------------------|------------------------------------------------|
| SinglePage            | there is none                       | after the one answer                           |
| PageNumber            | number + 1                          | by its `Stop`                                  |
| Offset                | offset + rows received              | by its `Stop`                                  |
| LastId                | behind the id of the last row       | by its `Stop`                                  |
| Cursor                | the cursor of the body or a header  | where the cursor is null, empty or missing     |
| Link                  | the link of the body or `Link`      | where there is no link                         |

A page number and an offset count rows, so rows that move can pass them unseen: `stands_at_row` is false. A cursor and
an id stand behind a row.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest
from orgdata_dagster.http.rest.paths import MISSING

_SAME_PAGE = 3  # times in a row: rows that move may bring a page twice, but hardly three times


@dataclass(frozen=True)
class Stop:
    """When a list that is counted has ended. `at`: the path of the total or of the flag."""

    rule: Literal["empty_page", "short_page", "total", "has_more"]
    at: str = ""


class Paginator(ABC):
    """Asks for one page after the other until there is none. Made anew for every walk.

    `total_at`: the path of the number of rows, where the vendor tells it; `total` is the last one told.
    `was_promised`: the vendor said that the page just answered would be there. `doubt`: why the end of the list cannot
    be believed, if so.
    """

    stands_at_row = True

    def __init__(self, total_at: str = "") -> None:
        self.has_next_page = True
        self.was_promised = False
        self.total: int | None = None
        self.fell = 0
        self.doubt: str | None = None
        self._total_at = total_at
        self._last = ""
        self._times = 0

    @abstractmethod
    def update_request(self, request: PageRequest) -> None:
        """Add to the request what names the page."""

    def update_state(self, answer: PageAnswer) -> None:
        """Take in the page that was asked for. Raises PermanentError where the paging has no end."""
        self._read_total(answer)
        before = self.has_next_page and self._times > 0
        self.has_next_page = self._advance(answer)
        self.was_promised = before
        if self.has_next_page and answer.rows:
            self._refuse_repeats(answer)

    @abstractmethod
    def _advance(self, answer: PageAnswer) -> bool:
        """Go on to the next page; whether there is one."""

    def _read_total(self, answer: PageAnswer) -> None:
        if not self._total_at:
            return
        total = whole_number(answer.find(self._total_at))
        if total is None:
            raise PermanentError(
                f"there is no number at {self._total_at!r}: {shown(answer.find(self._total_at))}",
                remedy="Correct `total` in defs.yaml, or leave it out where the vendor tells no total.",
            )
        self.fell = max(0, (self.total or 0) - total)
        self.total = total

    def _refuse_repeats(self, answer: PageAnswer) -> None:
        page = json.dumps(answer.rows, sort_keys=True, default=str)
        self._times = self._times + 1 if page == self._last else 1
        self._last = page
        if self._times == _SAME_PAGE:
            raise endless(f"the same page of {len(answer.rows)} rows came {_SAME_PAGE} times in a row")


class SinglePage(Paginator):
    """The whole list is one answer."""

    def update_request(self, request: PageRequest) -> None:
        """Nothing to add."""

    def _advance(self, answer: PageAnswer) -> bool:  # noqa: ARG002
        return False


class _Counted(Paginator):
    """What page numbers and offsets share: the stop rules, and pages that the vendor makes smaller than asked for."""

    stands_at_row = False

    def __init__(
        self,
        *,
        parameter: str,
        stop: Stop,
        page_size: int | None = None,
        size_parameter: str = "",
        total_at: str = "",
    ) -> None:
        super().__init__(total_at or (stop.at if stop.rule == "total" else ""))
        self._parameter = parameter
        self._stop = stop
        self._page_size = page_size
        self._size_parameter = size_parameter
        self._full = page_size or 1
        self._pages = 0
        self._may_be_cut = False

    def _set_size(self, request: PageRequest) -> None:
        if self._size_parameter and self._page_size:
            request.set(self._size_parameter, self._page_size)

    def _ends(self, answer: PageAnswer, *, reached: int) -> bool:
        """Whether the list ends with this page. `reached`: how many rows lie before the next page."""
        self._pages += 1
        match self._stop.rule:
            case "total":
                return reached >= (self.total or 0) or (not answer.rows and reached > 0 and self._pages > 1)
            case "has_more":
                return not flag(answer, self._stop.at)
            case "empty_page":
                return not answer.rows
        return self._ends_short(len(answer.rows))

    def _ends_short(self, rows: int) -> bool:
        """A short first page may be one that the vendor cut to a maximum of its own: the next page tells."""
        if self._may_be_cut and rows:
            self._full = max(self._full, rows)
        self._may_be_cut = False
        if rows and self._pages == 1 and rows < self._full:
            self._full, self._may_be_cut = rows, True
            return False
        return rows < self._full


class PageNumber(_Counted):
    """Counts pages up: `?page=2&per_page=100`.

    Where the total fell, rows have left the list and those behind them have moved up: it goes back by as many.
    """

    def __init__(self, *, first: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self._first = self.page = first
        self._longest = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the page, also where it is the first."""
        request.set(self._parameter, self.page)
        self._set_size(request)

    def _advance(self, answer: PageAnswer) -> bool:
        self._longest = max(self._longest, len(answer.rows))
        if self.fell and self.page > self._first and self._longest:
            self.page = max(self._first, self.page + self.fell // -self._longest)
            self._last = ""  # going back brings the same page again
            return True
        if self._ends(answer, reached=(self.page - self._first + 1) * self._longest):
            return False
        self.page += 1
        return True


class Offset(_Counted):
    """Counts rows: `?offset=200&limit=100`. It goes on by the rows that came, not by those asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.offset = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the offset, also where it is 0."""
        request.set(self._parameter, self.offset)
        self._set_size(request)

    def _advance(self, answer: PageAnswer) -> bool:
        if self.fell and self.offset:
            self.offset = max(0, self.offset - self.fell)
            self._last = ""
            return True
        if self._ends(answer, reached=self.offset + len(answer.rows)):
            return False
        self.offset += len(answer.rows)
        return True


class LastId(_Counted):
    """Goes on behind the last row: `?starting_after=<its id>`."""

    stands_at_row = True

    def __init__(self, *, id_at: str, **options: Any) -> None:
        super().__init__(**options)
        self._id_at = id_at
        self._after: str | int | None = None
        self._seen: set[str | int] = set()
        self._rows = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the id of the last row; nothing for the first page."""
        if self._after is not None:
            request.set(self._parameter, self._after)
        self._set_size(request)

    def _advance(self, answer: PageAnswer) -> bool:
        self._rows += len(answer.rows)
        if self._ends(answer, reached=self._rows):
            return False
        if not answer.rows:
            raise endless(f"a page without rows says that more follow ({self._stop.at})")
        last = PageAnswer(answer.rows[-1], {}, ()).find(self._id_at)
        if not isinstance(last, str | int):
            raise PermanentError(
                f"the last row of a page has no {self._id_at!r}", remedy="Correct `id` of the paginator in defs.yaml."
            )
        if last in self._seen:
            raise endless(f"the id {excerpt(str(last), 60)!r} was the last one of two pages")
        self._seen.add(last)
        self._after = last
        return True


def whole_number(value: Any) -> int | None:
    """A count, also where it is written as text; None for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if type(value) is int and value >= 0 else None


def endless(message: str) -> PermanentError:
    """The error of a paging that leads nowhere."""
    return PermanentError(f"the paging has no end: {message}", remedy="Check `paginator` and `path` in defs.yaml.")


def flag(answer: PageAnswer, path: str) -> bool:
    """The true or false at a path of the answer. Raises PermanentError where there is neither."""
    value = answer.find(path)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool | int):
        return bool(value)
    raise PermanentError(
        f"there is no true or false at {path!r}: {shown(value)}", remedy="Correct the paginator in defs.yaml."
    )


def shown(value: Any) -> str:
    """A value of an answer as an error quotes it."""
    return "nothing is there" if value is MISSING else excerpt(json.dumps(value, default=str), 80)
