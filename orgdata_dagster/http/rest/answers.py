"""The request for one page and its answer: what paginators work on.

Here: `PageRequest`, `PageAnswer`, and reading a count or a flag of an answer.
Add here when: paging depends on another fact of an answer.
Keep out: sending (a vendor's client.py), paging (paginators.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import excerpt
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
    rows: its records; of a large page, only the first and the last one are not empty.
    base_url: the origin that its links must have; empty for any.
    is_no_data: whether a status or a code of the vendor means that there are no rows.
    server_time: the vendor's clock when it answered; None if unknown.
    keys: the keys of its rows.
    changes: when its rows were last changed; None if unknown.
    digest: a hash of its rows, if they were emptied; "" to compute it.
    """

    body: Any
    headers: Mapping[str, str]
    rows: Sequence[Row]
    base_url: str = ""
    is_no_data: bool = False
    server_time: datetime | None = None
    keys: Sequence[str] = ()
    changes: Sequence[datetime] | None = None
    digest: str = ""

    @cached_property
    def content(self) -> str:
        """A hash of its rows."""
        return self.digest or digest_of(self.rows)

    def without_rows(self, records: str) -> PageAnswer:
        """The answer with emptied rows, which take most of its memory. records: their path in the body.

        The first and the last row stay, because they may hold the total and the last id.
        """
        if len(self.rows) < 3:
            return self
        short = [self.rows[0], *({},) * (len(self.rows) - 2), self.rows[-1]]
        body = self.body
        if body is not None:
            body = paths.put(body, records, short) if records else short
        return replace(self, body=body, rows=short, digest=digest_of(self.rows))

    def find(self, path: str) -> Any:
        """The value at a path; see paths.find_in_answer."""
        return paths.find_in_answer(self.body, self.headers, path)


def digest_of(rows: Sequence[Row]) -> str:
    """A hash of rows with all values, computed row by row: the text of all of them may not fit into memory."""
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row, default=str).encode())
        found.update(b"\n")
    return found.hexdigest()


def whole_number(value: Any) -> int | None:
    """A count, which may be written as text or as 7.0; None for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def flag(answer: PageAnswer, path: str) -> bool:
    """The true or false at a path of the answer. Raises PermanentError if there is neither."""
    value = answer.find(path)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool | int):
        return bool(value)
    raise PermanentError(
        f"there is no true or false at {path!r}: {shown(value)}", remedy="Correct the paginator in defs.yaml."
    )


def shown(value: Any) -> str:
    """A value of an answer, for an error message."""
    return "nothing is there" if value is paths.MISSING else excerpt(json.dumps(value, default=str), 80)
