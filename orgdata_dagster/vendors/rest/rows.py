"""Facts about the rows of a page that a walk needs.

Here: their keys, their order, and rows that are errors. Keep out: what lands (warehouse/), paging (client.py).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from orgdata_dagster.http.errors import BadBody, PermanentError
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.answers import Row

_CLOCKS = timedelta(minutes=1)  # by which the clocks of the vendor's machines may differ
# members of an answer that are missing or empty if there is no error
_ERRORS = {"error", "errors", "fault", "faultcode", "faultstring", "exception"}
_VERDICTS = {"ok", "success", "succeeded"}  # members that are false in an error
_STATES = {"status", "state", "result"}  # members that name an error
_FAILED = {"error", "err", "fail", "failed", "failure", "exception", "nok", "ko"}
_ERROR_MEMBERS = {"error", "errors", "code", "message", "detail", "status"}


def keys(rows: Sequence[Row], key: Sequence[str]) -> tuple[str, ...]:
    """The keys of the rows as comparable text; without `key`, all of their values.

    Raises PermanentError if a row lacks a key column.
    """
    if not key:
        return tuple(json.dumps(row, sort_keys=True, default=str) for row in rows)
    if missing := sorted({name for row in rows for name in key if row.get(name) is None}):
        if empty := [name for name in missing if all(name in row for row in rows)]:
            raise PermanentError(
                f"rows without a value of the key column {', '.join(empty)}",
                remedy="Correct `key` in defs.yaml, or ask the vendor.",
            )
        close = [near for name in missing for near in get_close_matches(name, rows[0], n=1)]
        raise PermanentError(
            f"rows without the key column {', '.join(missing)}; a row has {excerpt(', '.join(rows[0]), 300)}",
            remedy=f"Correct `key` in defs.yaml{f': did you mean {close[0]!r}?' if close else '.'}",
        )
    return tuple(json.dumps([row[name] for name in key], default=str) for row in rows)


def refuse_ambiguous(rows: Sequence[Row], keys: Sequence[str], changes: Sequence[datetime] | None) -> None:
    """Raise PermanentError if rows of one page share a key and differ, but none is newer: only one of them would land.

    changes: when each row was last changed; None if unknown.
    """
    if len({*keys}) == len(keys):
        return
    seen: dict[tuple[str, datetime | None], Row] = {}
    times: Sequence[datetime | None] = changes or [None] * len(keys)
    for row, key, at in zip(rows, keys, times, strict=True):
        if seen.setdefault((key, at), row) != row:
            raise PermanentError(
                f"two rows of one page have the key {excerpt(key, 100)} and differ: it does not identify a row",
                remedy="Correct `key` in defs.yaml: name all columns that together identify a row.",
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


def refuse_error_without_rows(body: Any) -> None:
    """Raise BadBody if an answer without rows is an error, because it would otherwise mean that there are no rows."""
    members = body.items() if isinstance(body, dict) else ()
    if found := {name: value for name, value in members if _is_error(str(name).lower(), value)}:
        raise BadBody(f"there are no rows, but an error: {excerpt(json.dumps(found, default=str), 200)}")


def _is_error(name: str, value: Any) -> bool:
    if name in _VERDICTS:
        return value is False or str(value).lower() in ("false", "0", "no")
    if name in _STATES:
        return isinstance(value, str) and value.lower() in _FAILED
    return name in _ERRORS and _is_filled(value)


def _is_filled(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_filled, value.values()))
    return bool(value) and str(value).lower() not in ("0", "false", "none", "null", "ok", "no")
