"""The parameters of a read: filter, selection, page, order, format, as the document lists them.

Here: the parameters with their defaults and errors, and choosing the records.
Add here when: the document has another parameter.
Keep out: formatting records (`export`) and storing them (`dataset`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from orgdata_dagster.sandbox.octolis import problems
from orgdata_dagster.sandbox.octolis.columns import SYSTEM, Column
from orgdata_dagster.sandbox.octolis.problems import Problem

MAX_PAGE_SIZE = 50_000


class Served(Protocol):
    """A record that can be read, of a dataset or of the bulk dataset."""

    @property
    def json(self) -> bytes: ...
    def public(self) -> dict[str, Any]: ...
    def value(self, name: str) -> Any: ...


S = TypeVar("S", bound=Served)
Filters = Mapping[str, frozenset[Any]]


@dataclass(frozen=True)
class Query:
    """The parameters of a read."""

    filters: Filters
    selection: tuple[str, ...] | None
    page: int
    page_size: int
    ascending: bool
    as_csv: bool
    header: bool

    @classmethod
    def parse(cls, params: Mapping[str, str], columns: Mapping[str, Column]) -> "Query":
        """Parse parameters, with defaults; unknown ones are ignored. Raises Problem for an invalid one."""
        selection = params.get("selection")
        return cls(
            filters=_filters(params.get("filter", ""), columns),
            selection=tuple(_column(name, columns) for name in selection.split(",")) if selection else None,
            page=_positive(params, "page", 1),
            page_size=_positive(params, "pageSize", MAX_PAGE_SIZE, MAX_PAGE_SIZE),
            ascending=_choice(params, "order", "desc", "asc") == "asc",
            as_csv=_choice(params, "format", "json", "csv") == "csv",
            header=_choice(params, "header", "true", "false") == "true",
        )

    def matching(self, newest_first: Sequence[S]) -> Sequence[S]:
        """The records that match the filters: each column has one of its values."""
        found = newest_first
        for name, wanted in self.filters.items():
            found = [record for record in found if record.value(name) in wanted]
        return found

    def page_of(self, newest_first: Sequence[S]) -> Sequence[S]:
        """The records of the page, in the requested order; none after the last page."""
        found = self.matching(newest_first)
        start, stop = (self.page - 1) * self.page_size, self.page * self.page_size
        if self.ascending:
            return found[max(0, len(found) - stop) : max(0, len(found) - start)][::-1]
        return found[start:stop]


def _filters(text: str, columns: Mapping[str, Column]) -> Filters:
    found: dict[str, frozenset[Any]] = {}
    for condition in text.split(",") if text else ():
        name, colon, value = condition.partition(":")
        if not colon:
            raise _wrong(f"filter - {condition!r} is not column:value")
        name = _column(name, columns)
        try:
            wanted = columns[name].from_filter(value) if name in columns else value
        except ValueError:
            raise _wrong(f"filter - {value!r} cannot be a value of {name}") from None
        found[name] = found.get(name, frozenset()) | {wanted}
    return found


def _column(name: str, columns: Mapping[str, Column]) -> str:
    """The column of this name. In the document's example, `firstname` and `firstName` are the same column."""
    for known in (*columns, *SYSTEM):
        if known.lower() == name.lower():
            return known
    raise _wrong(f"unknown column {name!r}")


def _positive(params: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise _wrong(f"{name} - must be a positive integer")
    if most is not None and int(text) > most:
        raise _wrong(f"{name} - must be <= {most}")
    return int(text)


def _choice(params: Mapping[str, str], name: str, *allowed: str) -> str:
    text = params.get(name, allowed[0])
    if text not in allowed:
        raise _wrong(f"{name} - must be one of {', '.join(allowed)}")
    return text


def _wrong(error: str) -> Problem:
    return problems.invalid("export", {}, [error])
