"""The YAML of `paginator:`: how a list is paged, and where it ends.

Here: one model per paginator, in dlt's terms. Add here when: there is another paginator.
Keep out: the paginators themselves (http/rest/paginators.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import dagster as dg
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from orgdata_dagster.http.rest import next_page, paginators
from orgdata_dagster.http.rest.paginators import Paginator, Stop
from orgdata_dagster.vendors.rest.unions import by_type

_TOTAL = Field(
    default="",
    description="Path of the number of all rows (`meta.total`, `header:X-Total-Count`). It proves completeness.",
)
_HAS_MORE = Field(default="", description="Path of the flag that is true if more rows follow.")
_PAGE_SIZE = Field(default=None, ge=1, description="Rows per page to request.")
_SIZE_PARAMETER = Field(default="", description="Parameter for `page_size`.")


# option -> argument of the paginator, if its name there is another one
_ARGUMENTS = {
    "total": "total_at",
    "actual_size": "size_at",
    "id": "id_at",
    "cursor": "cursor_at",
    "next": "next_at",
    "end_of_list": "end",
}


class _Model(dg.Model, dg.Resolvable):
    model_config = ConfigDict(extra="forbid", frozen=True)

    paginator: ClassVar[Callable[..., Paginator]]

    def build(self) -> Paginator:
        """A new paginator for one walk."""
        return self.paginator(**{_ARGUMENTS.get(name, name): value for name, value in self.options().items()})

    def options(self) -> dict[str, Any]:
        """The options that the paginator knows."""
        return self.model_dump(exclude={"type"})


class SinglePageOptions(_Model):
    """The whole list is one answer."""

    paginator = paginators.SinglePage

    type: Literal["single_page"]


class _CountedOptions(_Model):
    parameter: str
    page_size: int | None = _PAGE_SIZE
    size_parameter: str = _SIZE_PARAMETER
    stop: Literal["empty_page", "short_page", "total", "has_more", "next"] = Field(
        description="Where the list ends: at a page without rows, at a page with fewer rows than `page_size`, after as "
        "many rows as `total` says, by the flag at `has_more`, or where `next` names no next page."
    )
    total: str = _TOTAL
    has_more: str = _HAS_MORE
    next: str = Field(
        default="", description="Path of the link or number of the next page. A link is read, never followed."
    )
    actual_size: str = Field(
        default="", description="Path of the page size that the vendor applied, if answers have it."
    )

    @model_validator(mode="after")
    def _stop_has_its_path(self) -> _CountedOptions:
        if self.stop in ("total", "has_more", "next") and not getattr(self, self.stop):
            raise ValueError(f"stop: {self.stop} needs {self.stop}: its path in the answer")
        if self.stop == "short_page" and not self.page_size:
            raise ValueError("stop: short_page needs page_size: the number of rows of a full page")
        if self.size_parameter and not self.page_size:
            raise ValueError("size_parameter needs page_size: the value to send")
        return self

    def options(self) -> dict[str, Any]:
        """The options that the paginator knows, with those of the end of the list as one rule."""
        at = {"total": self.total, "has_more": self.has_more, "next": self.next}.get(self.stop, "")
        return {**self.model_dump(exclude={"type", "has_more", "next"}), "stop": Stop(self.stop, at)}


class PageNumberOptions(_CountedOptions):
    """Numbered pages: `?page=2`."""

    paginator = paginators.PageNumber

    type: Literal["page_number"]
    parameter: str = Field(default="page", description="Parameter for the number.")
    first: int = Field(default=1, ge=0, description="Number of the first page.")
    sends_first: bool = Field(default=True, description="Whether the request for the first page has its number.")


class OffsetOptions(_CountedOptions):
    """The number of rows to skip: `?offset=200&limit=100`."""

    paginator = paginators.Offset

    type: Literal["offset"]
    parameter: str = Field(default="offset", description="Parameter for the number of rows to skip.")


class LastIdOptions(_CountedOptions):
    """A page begins after the last row of the one before: `?starting_after=<its id>`."""

    paginator = paginators.LastId

    type: Literal["last_id"]
    parameter: str = Field(description="Parameter for the id of the last row.")
    id: str = Field(default="id", description="Path of the id in a row.")


class _NamedNext(_Model):
    page_size: int | None = _PAGE_SIZE
    size_parameter: str = _SIZE_PARAMETER
    has_more: str = _HAS_MORE
    end_of_list: str = Field(default="", description="Path of the flag that is true if no more rows follow.")
    total: str = _TOTAL


class CursorOptions(_NamedNext):
    """The answer has a cursor for the next page. The list ends if it is null, empty or missing."""

    paginator = next_page.Cursor

    type: Literal["cursor"]
    cursor: str = Field(description="Path of the cursor, or `header:Name`.")
    parameter: str = Field(description="Parameter for the cursor.")
    next: str = Field(
        default="",
        description="Path of the link of the next page, if answers have both. It is read if the cursor is missing, but "
        "never followed. An answer with neither is an error.",
    )


class _Links(_NamedNext):
    paginator = next_page.Link

    stands_at: Literal["row", "number"] = Field(
        default="number",
        description="What a link contains: `row` for a cursor, so that no row is missed; `number` for a page number "
        "or an offset: such a list is read until two walks agree.",
    )

    def options(self) -> dict[str, Any]:
        """The options that the paginator knows."""
        return {**self.model_dump(exclude={"type", "stands_at"}), "stands_at_row": self.stands_at == "row"}


class JsonLinkOptions(_Links):
    """The answer has the link of the next page. The list ends if there is none."""

    type: Literal["json_link"]
    next: str = Field(description="Path of the link.")


class HeaderLinkOptions(_Links):
    """The header `Link` has the next page with `rel="next"`. The list ends if it has none."""

    type: Literal["header_link"]
    relation: str = Field(default="next", description="The relation of the next page.")


_Options = (
    SinglePageOptions
    | PageNumberOptions
    | OffsetOptions
    | LastIdOptions
    | CursorOptions
    | JsonLinkOptions
    | HeaderLinkOptions
)
_ByType = TypeAliasType("_ByType", Annotated[_Options, Field(discriminator="type")])
PaginatorOptions = Annotated[_ByType, by_type(_ByType)]
