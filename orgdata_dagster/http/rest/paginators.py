"""Paginators (dlt's term): they request one page after the other. They are chosen in YAML and never guessed.

Here: for each kind of paging, the next page and the end of the list. Add here when: there is another kind of paging.
Keep out: their YAML (vendors/rest/paginator_options.py), sending (a vendor's client.py), rows that move during a walk
(walk.py), cursors and links (next_page.py).

| class                 | next page                           | end of the list                                |
|-----------------------|-------------------------------------|------------------------------------------------|
| SinglePage            | there is none                       | after the only answer                          |
| PageNumber            | number + 1                          | by its `Stop`                                  |
| Offset                | offset + received rows              | by its `Stop`                                  |
| LastId                | after the id of the last row        | by its `Stop`                                  |
| Cursor                | the cursor in the body or a header  | the cursor is null, empty or missing           |
| Link                  | the link in the body or in `Link`   | there is no link                               |

`stands_at_row` is false for page numbers and offsets: they count rows, so a row that moves can be missed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest, flag, shown, whole_number
from orgdata_dagster.http.rest.following import following

_SAME_PAGE = 3  # times in a row; moving rows may repeat a page twice, but hardly three times
_STEPS_BACK = 20  # per walk


@dataclass(frozen=True)
class Stop:
    """The rule by which a counted list ends. `at`: path of the total, of the flag or of the next page."""

    rule: Literal["empty_page", "short_page", "total", "has_more", "next"]
    at: str = ""


class Paginator(ABC):
    """Requests one page after the other until the list ends. Every walk needs a new paginator.

    total_at: path of the vendor's number of rows; empty if it has none. `total` is the number in the last answer.
    page_size, size_parameter: rows per page to request, and the parameter for it.
    remedy: advice for the user if the paging fails.
    fell: by how many rows the total fell since the last page.
    may_continue: why the list may continue after its apparent end; None if the end is certain.
    is_beyond: whether the next page is beyond the vendor's total, and is only requested to verify the total.
    """

    stands_at_row = True

    def __init__(
        self, *, total_at: str = "", page_size: int | None = None, size_parameter: str = "", remedy: str = ""
    ) -> None:
        self.has_next_page = True
        self.total: int | None = None
        self.fell = 0
        self.may_continue: str | None = None
        self.is_beyond = False
        self.page_size = page_size
        self._size_parameter = size_parameter
        self._total_at = total_at
        self._remedy = remedy
        self._last = ""
        self._times = 0

    def update_request(self, request: PageRequest) -> None:
        """Add the parameters of the page to the request."""
        if self._size_parameter and self.page_size:
            request.set(self._size_parameter, self.page_size)

    def update_state(self, answer: PageAnswer) -> None:
        """Process the answer of the requested page. Raises PermanentError if the paging does not end."""
        self.read_total(answer)
        self.has_next_page = not answer.is_no_data and self._advance(answer)
        if self.has_next_page and answer.rows:
            self._refuse_repeats(answer)

    @abstractmethod
    def _advance(self, answer: PageAnswer) -> bool:
        """Continue with the next page; returns whether there is one."""

    def read_total(self, answer: PageAnswer) -> None:
        """Read the vendor's number of rows, if it has one. Raises PermanentError if it is not there."""
        if not self._total_at:
            return
        if answer.is_no_data:
            self.total = self.total or 0
            return
        total = whole_number(answer.find(self._total_at))
        if total is None:
            raise PermanentError(
                f"there is no number at {self._total_at!r}: {shown(answer.find(self._total_at))}",
                remedy=self._remedy or "Correct `total` in defs.yaml, or remove it if the vendor has no total.",
            )
        self.fell = max(0, (self.total or 0) - total)
        self.total = total

    def _refuse_repeats(self, answer: PageAnswer) -> None:
        self._times = self._times + 1 if answer.content == self._last else 1
        self._last = answer.content
        if self._times == _SAME_PAGE:
            raise self._endless(f"the same page of {len(answer.rows)} rows came {_SAME_PAGE} times in a row")

    def _endless(self, message: str) -> PermanentError:
        """The error for a paging that does not end."""
        return PermanentError(
            f"the paging does not end: {message}",
            remedy=self._remedy or "Check `paginator` and `path` in defs.yaml.",
        )


class SinglePage(Paginator):
    """The whole list is one answer."""

    def _advance(self, answer: PageAnswer) -> bool:  # noqa: ARG002
        return False


class _Counted(Paginator):
    """Base of page numbers, offsets and ids: the stop rules, and vendors that limit the page size.

    size_at: path of the page size that the vendor has applied; empty if the answer does not contain it.
    """

    stands_at_row = False

    def __init__(self, *, parameter: str, stop: Stop, total_at: str = "", size_at: str = "", **options: Any) -> None:
        super().__init__(total_at=total_at or (stop.at if stop.rule == "total" else ""), **options)
        self._parameter = parameter
        self._stop = stop
        self._size_at = size_at
        self._full = self.page_size or 1
        self._pages = 0
        self._may_be_cut = False
        self._empty = 0
        self._largest = 0
        self._back = 0

    def update_state(self, answer: PageAnswer) -> None:
        """Process the answer. Three consecutive pages without rows always end the list."""
        super().update_state(answer)
        self._empty = 0 if answer.rows else self._empty + 1
        if self.has_next_page and self._empty == _SAME_PAGE:
            self.has_next_page = False
            if self.total is None:
                self.may_continue = f"the vendor announced more rows, but the last {_SAME_PAGE} pages had none"

    @property
    def _place(self) -> int | None:
        """The number of the requested page, as in `next`; None if pages have no numbers."""
        return None

    def _ends(self, answer: PageAnswer, *, reached: int) -> bool:
        """Whether the list ends with this page. `reached`: number of rows before the next page."""
        self._pages += 1
        self._largest = max(self._largest, len(answer.rows))
        match self._stop.rule:
            case "total":
                if reached < (self.total or 0):
                    return not answer.rows and reached > 0 and self._pages > 1
                return not self._may_go_on(len(answer.rows))
            case "has_more":
                return not flag(answer, self._stop.at)
            case "next":
                return self._next_is_nothing(answer, reached=self.total is not None and reached >= self.total)
            case "empty_page":
                return not answer.rows
        return self._ends_short(len(answer.rows))

    def _steps_back(self) -> bool:
        """Whether to step back because the total fell. Limited, because a total that keeps changing has no end."""
        if not self.fell:
            return False
        if self._back == _STEPS_BACK:
            self.may_continue = f"the vendor's total fell more than {_STEPS_BACK} times during a walk"
            return False
        self._back += 1
        return True

    def _may_go_on(self, rows: int) -> bool:
        """Whether rows may follow although the total is reached: it may be limited, and the last page was full."""
        self.is_beyond = rows > 0 and rows == self._largest and (self._pages > 1 or rows == self.page_size)
        return self.is_beyond

    def _next_is_nothing(self, answer: PageAnswer, *, reached: bool) -> bool:
        """Whether the list ends by the rule `next`. `reached`: whether all rows of the total have been received."""
        found = following(answer, self._stop.at, self._parameter)
        if found.end is not None:
            return found.end
        place = self._place
        if place is not None and found.value is not None and found.value.isdecimal() and int(found.value) <= place:
            if reached:  # the last page names itself
                return True
            raise self._endless(f"page {place} names page {int(found.value)} as the next one")
        if self.total is None:
            return not found.is_present
        return reached and (not answer.rows or not found.is_present)

    def _ends_short(self, rows: int) -> bool:
        """Whether the list ends with a short page.

        A short first page may also mean that the vendor limits the page size, which only the next page shows.
        """
        if self._may_be_cut and rows:
            self._full = max(self._full, rows)
        self._may_be_cut = False
        if rows and self._pages == 1 and rows < self._full:
            self._full, self._may_be_cut = rows, True
            return False
        return rows < self._full

    def _size(self, answer: PageAnswer) -> int:
        """The number of rows of a full page."""
        if not self._size_at:
            return len(answer.rows)
        if not (size := whole_number(answer.find(self._size_at))):
            raise PermanentError(
                f"there is no page size at {self._size_at!r}: {shown(answer.find(self._size_at))}",
                remedy=self._remedy or "Correct `actual_size` of the paginator in defs.yaml, or remove it.",
            )
        return size


class PageNumber(_Counted):
    """Counts pages: `?page=2&per_page=100`.

    If the total fell, rows have left the list and later rows have moved up: it steps back by as many rows.

    sends_first: whether the request of the first page contains its number.
    """

    def __init__(self, *, first: int = 1, sends_first: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._first = self.page = first
        self._sends_first = sends_first
        self._longest = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the page."""
        super().update_request(request)
        if self._sends_first or self.page > self._first:
            request.set(self._parameter, self.page)

    @property
    def _place(self) -> int:
        return self.page

    def _advance(self, answer: PageAnswer) -> bool:
        self._longest = self._size(answer) if self._size_at else max(self._longest, len(answer.rows))
        if self.page > self._first and self._longest and self._steps_back():
            self.page = max(self._first, self.page + self.fell // -self._longest)
            self._last = ""  # stepping back repeats a page
            return True
        if self._ends(answer, reached=(self.page - self._first + 1) * self._longest):
            return False
        self.page += 1
        return True


class Offset(_Counted):
    """Counts rows: `?offset=200&limit=100`. The next offset follows the received rows, not the requested ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.offset = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the offset, also if it is 0."""
        super().update_request(request)
        request.set(self._parameter, self.offset)

    @property
    def _place(self) -> int:
        return self.offset

    def _advance(self, answer: PageAnswer) -> bool:
        if self.offset and self._steps_back():
            self.offset = max(0, self.offset - self.fell)
            self._last = ""
            return True
        if self._ends(answer, reached=self.offset + len(answer.rows)):
            return False
        self.offset += len(answer.rows)
        return True


class LastId(_Counted):
    """Continues after the last row: `?starting_after=<its id>`."""

    stands_at_row = True

    def __init__(self, *, id_at: str, **options: Any) -> None:
        super().__init__(**options)
        self._id_at = id_at
        self._after: str | int | None = None
        self._seen: set[str | int] = set()
        self._rows = 0

    def update_request(self, request: PageRequest) -> None:
        """Set the id of the last row; the first page has none."""
        super().update_request(request)
        if self._after is not None:
            request.set(self._parameter, self._after)

    def _advance(self, answer: PageAnswer) -> bool:
        self._rows += len(answer.rows)
        if self._ends(answer, reached=self._rows):
            return False
        if not answer.rows:
            raise self._endless(f"a page without rows announces more rows ({self._stop.at})")
        last = PageAnswer(answer.rows[-1], {}, ()).find(self._id_at)
        if not isinstance(last, str | int):
            raise PermanentError(
                f"the last row of a page has no {self._id_at!r}", remedy="Correct `id` of the paginator in defs.yaml."
            )
        if last in self._seen:
            raise self._endless(f"the id {excerpt(str(last), 60)!r} was the last one of two pages")
        self._seen.add(last)
        self._after = last
        return True
