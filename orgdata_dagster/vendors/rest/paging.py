"""How a person writes `paginator:` in YAML: which paging a list has, and by what it ends.

Here: one model per paginator, in dlt's words. Add here: the options of another one.
Keep out: what paginators do (http/rest/paginators.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from orgdata_dagster.http.rest import paginators, told
from orgdata_dagster.http.rest.paginators import Paginator, Stop
from orgdata_dagster.vendors.rest.unions import by_type

_TOTAL = Field(
    default="",
    description="Path of the number of all rows (`meta.total`, `header:X-Total-Count`): proves that none is missing.",
)
_HAS_MORE = Field(default="", description="Path of the flag that is true where more rows follow.")
_PAGE_SIZE = Field(default=None, ge=1, description="Rows per page that are asked for.")
_SIZE_PARAMETER = Field(default="", description="Parameter that takes `page_size`.")


class _Model(dg.Model, dg.Resolvable):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SinglePage(_Model):
    """The whole list comes in one answer."""

    type: Literal["single_page"]

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return paginators.SinglePage()


class _Counted(_Model):
    parameter: str
    page_size: int | None = _PAGE_SIZE
    size_parameter: str = _SIZE_PARAMETER
    stop: Literal["empty_page", "short_page", "total", "has_more"] = Field(
        description="By what the list ends: a page without rows, a page with fewer than `page_size`, the number of "
        "rows at `total`, or the flag at `has_more`."
    )
    total: str = _TOTAL
    has_more: str = _HAS_MORE

    @model_validator(mode="after")
    def _stop_has_its_place(self) -> _Counted:
        if self.stop in ("total", "has_more") and not getattr(self, self.stop):
            raise ValueError(f"stop: {self.stop} needs {self.stop}: the path of it in the answer")
        if self.stop == "short_page" and not self.page_size:
            raise ValueError("stop: short_page needs page_size: how many rows a full page has")
        if self.size_parameter and not self.page_size:
            raise ValueError("size_parameter needs page_size: the value to send")
        return self

    def _options(self) -> dict[str, Any]:
        at = {"total": self.total, "has_more": self.has_more}.get(self.stop, "")
        return {
            "parameter": self.parameter,
            "stop": Stop(self.stop, at),
            "page_size": self.page_size,
            "size_parameter": self.size_parameter,
            "total_at": self.total,
        }


class PageNumber(_Counted):
    """Pages with numbers: `?page=2`."""

    type: Literal["page_number"]
    parameter: str = Field(default="page", description="Parameter that takes the number.")
    first: int = Field(default=1, ge=0, description="Number of the first page.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return paginators.PageNumber(first=self.first, **self._options())


class Offset(_Counted):
    """Rows are skipped: `?offset=200&limit=100`."""

    type: Literal["offset"]
    parameter: str = Field(default="offset", description="Parameter that takes the number of rows to skip.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return paginators.Offset(**self._options())


class LastId(_Counted):
    """A page begins behind the last row of the one before: `?starting_after=<its id>`."""

    type: Literal["last_id"]
    parameter: str = Field(description="Parameter that takes the id of the last row.")
    id: str = Field(default="id", description="Where a row has its id.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return paginators.LastId(id_at=self.id, **self._options())


class _Told(_Model):
    page_size: int | None = _PAGE_SIZE
    size_parameter: str = _SIZE_PARAMETER
    has_more: str = _HAS_MORE
    end_of_list: str = Field(default="", description="Path of the flag that is true where no more rows follow.")
    total: str = _TOTAL

    def _options(self) -> dict[str, Any]:
        return {
            "page_size": self.page_size,
            "size_parameter": self.size_parameter,
            "has_more": self.has_more,
            "end": self.end_of_list,
            "total_at": self.total,
        }


class Cursor(_Told):
    """The answer has a cursor, which is handed back; the list ends where it is null, empty or missing."""

    type: Literal["cursor"]
    cursor: str = Field(description="Path of the cursor, or `header:Name`.")
    parameter: str = Field(description="Parameter that takes the cursor.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return told.Cursor(cursor_at=self.cursor, parameter=self.parameter, **self._options())


class _Links(_Told):
    stands_at: Literal["row", "number"] = Field(
        default="number",
        description="What a link holds: `row` for a cursor, which no row can pass unseen; `number` for a page number "
        "or an offset. A list of the second kind is read until two walks agree.",
    )


class JsonLink(_Links):
    """The answer has the link of the next page; the list ends where there is none."""

    type: Literal["json_link"]
    next: str = Field(description="Path of the link.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return told.Link(next_at=self.next, stands_at_row=self.stands_at == "row", **self._options())


class HeaderLink(_Links):
    """The header `Link` has the next page with `rel="next"`; the list ends where it has none."""

    type: Literal["header_link"]
    relation: str = Field(default="next", description="The relation of the next page.")

    def made(self) -> Paginator:
        """A paginator for one walk."""
        return told.Link(relation=self.relation, stands_at_row=self.stands_at == "row", **self._options())


_Options = SinglePage | PageNumber | Offset | LastId | Cursor | JsonLink | HeaderLink
_ByType = TypeAliasType("_ByType", Annotated[_Options, Field(discriminator="type")])
PaginatorOptions = Annotated[_ByType, by_type(_ByType)]
