"""The request for one page and its answer: what paginators work on.

Here: `PageRequest`, `PageAnswer`. Add here when: paging depends on another fact of an answer.
Keep out: sending (a vendor's client.py), paging (paginators.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest import paths

Row = Mapping[str, Any]


@dataclass
class PageRequest:
    """The request for one page.

    in_body: parameters go into the JSON body, by dotted path, instead of the query.
    link: the whole address, if the vendor gave one.
    """

    params: dict[str, str] = field(default_factory=dict)
    body: Any = None
    in_body: bool = False
    link: str | None = None

    def set(self, parameter: str, value: str | int) -> None:
        """Set a parameter. In a body it keeps its type, in a query it is text."""
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
    """The answer to a PageRequest.

    body: the JSON document; None for CSV and JSON lines.
    rows: its records.
    base_url: the origin that its links must have; empty for any.
    is_no_data: whether a status or a code of the vendor means that there are no rows.
    server_time: the vendor's clock when it answered; None if unknown.
    """

    body: Any
    headers: Mapping[str, str]
    rows: Sequence[Row]
    base_url: str = ""
    is_no_data: bool = False
    server_time: datetime | None = None

    @cached_property
    def content(self) -> str:
        """A hash of its rows."""
        return hashlib.sha256(json.dumps(self.rows, default=str).encode()).hexdigest()

    def find(self, path: str) -> Any:
        """The value at a path; see paths.find_in_answer."""
        return paths.find_in_answer(self.body, self.headers, path)
