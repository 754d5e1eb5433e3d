"""One page as it is asked for, and as it is answered: what paginators work on.

Here: `PageRequest`, `PageAnswer`. Add here: another fact of an answer that paging may go by.
Keep out: sending (a vendor's client.py), paging (paginators.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest import paths

Row = Mapping[str, Any]


@dataclass
class PageRequest:
    """The request for one page. `in_body`: parameters go into the JSON body, by dotted path, instead of the query.

    `link`: the whole address, where the vendor gave one.
    """

    params: dict[str, str] = field(default_factory=dict)
    body: Any = None
    in_body: bool = False
    link: str | None = None

    def set(self, parameter: str, value: str | int) -> None:
        """Set a parameter, which stays as it is typed in a body and is text in a query."""
        if not self.in_body:
            self.params[parameter] = str(value)
            return
        try:
            self.body = paths.put(self.body, parameter, value)
        except ValueError as error:
            raise PermanentError(
                f"{parameter!r} cannot be set in the body: {error}", remedy="Correct `body` in defs.yaml."
            ) from None


@dataclass(frozen=True)
class PageAnswer:
    """The answer to it: `body` is the JSON document without a limit to its shape (None for CSV), `rows` its records."""

    body: Any
    headers: Mapping[str, str]
    rows: Sequence[Row]

    def find(self, path: str) -> Any:
        """The value at a path, see paths.find_in_answer."""
        return paths.find_in_answer(self.body, self.headers, path)
