"""Facts about the rows of a page that a walk needs.

Here: their keys, their order, and rows that are errors. Keep out: what lands (warehouse/), paging (client.py).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from orgdata_dagster.http.errors import BadBody, PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.answers import Row

_CLOCKS = timedelta(minutes=1)  # by which the clocks of the vendor's machines may differ
_ERROR_MEMBERS = {"error", "errors", "code", "message", "detail", "status"}


def keys(rows: Sequence[Row], key: Sequence[str]) -> tuple[str, ...]:
    """The keys of the rows as comparable text; without `key`, all of their values.

    Raises PermanentError if a row lacks a key column.
    """
    if not key:
        return tuple(json.dumps(row, sort_keys=True, default=str) for row in rows)
    if missing := sorted({name for row in rows for name in key if row.get(name) is None}):
        close = [near for name in missing for near in get_close_matches(name, rows[0], n=1)]
        raise PermanentError(
            f"rows without the key column {', '.join(missing)}; a row has {excerpt(', '.join(rows[0]), 300)}",
            remedy=f"Correct `key` in defs.yaml{f': did you mean {close[0]!r}?' if close else '.'}",
        )
    return tuple(json.dumps([row[name] for name in key], default=str) for row in rows)


def check_types(keys: Sequence[str], key: Sequence[str]) -> None:
    """Raise PermanentError for keys that differ only in type: a column cannot distinguish 1 from "1"."""
    if not key:
        return
    kinds = {each.startswith('["') for each in keys} if len(key) == 1 else {True, False}
    if len(kinds) < 2:
        return  # all are strings, or none is, as in nearly every list
    found: dict[tuple[str, ...], str] = {}
    for each in dict.fromkeys(keys):
        text = tuple(value if isinstance(value, str) else json.dumps(value) for value in json.loads(each))
        if (other := found.setdefault(text, each)) != each:
            raise PermanentError(
                f"two rows have the keys {other} and {each}, which differ only in type: no column can distinguish them",
                remedy=f"Nothing was stored. Add another column to `key` ({', '.join(key)}) in defs.yaml.",
            )


def instants(rows: Sequence[Row], column: str) -> list[datetime] | None:
    """When each row was last changed; None if that is unknown for any of them."""
    try:
        found = [datetime.fromisoformat(row[column]) for row in rows] if column else None
    except (ValueError, LookupError, TypeError):
        return None
    return found if found is not None and len({at.tzinfo is None for at in found}) < 2 else None


def newest_first(changes: Sequence[datetime] | None) -> bool:
    """Whether rows are in the order of their last change, newest first."""
    return changes is not None and all(later >= earlier for later, earlier in itertools.pairwise(changes))


def unchanged(changes: Sequence[datetime] | None, since: datetime | None) -> bool:
    """Whether no row has been added or changed since an instant on the vendor's clock."""
    if changes is None or since is None:
        return False
    return all(at.tzinfo is not None and at < since - _CLOCKS for at in changes)


def refuse_errors(rows: Sequence[Row], key: Sequence[str]) -> None:
    """Raise BadBody if a row is an error in place of data: it has no key, and only members of an error."""
    if any(key and not row.keys() & {*key} and row.keys() <= _ERROR_MEMBERS for row in rows):
        raise BadBody(f"an error in place of rows: {excerpt(json.dumps(rows[:1], default=str), 200)}")
