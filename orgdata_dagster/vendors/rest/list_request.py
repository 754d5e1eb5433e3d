"""The requests for a list: path, parameters, body, paging, and where the rows are in an answer.

Here: `Listing`, its placeholders, and the request for its first page. Add here when: requests have another part.
Keep out: sending (client.py), YAML (table_options.py), which range of time is requested (pulling.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from orgdata_dagster.http.rest import formats
from orgdata_dagster.http.rest.answers import PageRequest
from orgdata_dagster.http.rest.paginators import Paginator, SinglePage

Bound = tuple[str, str | int]
"""A parameter that bounds the list, and its value."""

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Listing:
    """The requests for a list.

    paginate: returns a new paginator for one walk.
    in_body: whether paging and bounds go into the JSON body.
    bounds: parameters that bound the list by time.
    records: path of the rows in an answer.
    key: the columns that identify a row.
    changed_at: the column with the time of a row's last change, if there is one.
    newest_first: whether the list is requested in the order of that column, newest first.
    expects: paths of objects that every answer has; an answer without one raises BadBody.
    cost: points per request.
    no_data: statuses that mean "no rows".
    """

    path: str
    paginate: Callable[[], Paginator] = SinglePage
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    in_body: bool = False
    bounds: tuple[Bound, ...] = ()
    format: formats.Format = "json"
    records: str = ""
    key: tuple[str, ...] = ()
    changed_at: str = ""
    newest_first: bool = False
    expects: tuple[str, ...] = ()
    cost: float = 1
    no_data: frozenset[int] = frozenset()

    def filled(self, values: Mapping[str, str]) -> Listing:
        """The listing with `{name}` replaced in its path, parameters, headers and body."""
        if not values:
            return self
        in_path = {name: _segment(value) for name, value in values.items()}
        return replace(
            self,
            path=fill(self.path, in_path),
            params=fill(self.params, values),
            headers=fill(self.headers, values),
            body=fill(self.body, values),
        )

    def first_request(self) -> PageRequest:
        """The request for the first page, before a paginator adds to it."""
        request = PageRequest(dict(self.params), self.body, self.in_body)
        for parameter, value in self.bounds:
            request.set(parameter, value)
        return request


def _segment(value: str) -> str:
    """A value as a segment of a path. Dots are escaped as well where they would lead to another path."""
    return value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """The value with `{name}` replaced in all of its texts."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {name: fill(each, values) for name, each in value.items()}
    return [fill(each, values) for each in value] if isinstance(value, list) else value


def placeholders(*values: Any) -> set[str]:
    """The names in braces, anywhere in these values."""
    found = set[str]()
    for value in values:
        if isinstance(value, str):
            found |= {match[1] for match in PLACEHOLDER.finditer(value)}
        elif isinstance(value, Mapping):
            found |= placeholders(*value.values())
        elif isinstance(value, list):
            found |= placeholders(*value)
    return found
