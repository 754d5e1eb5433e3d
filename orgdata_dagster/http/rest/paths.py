"""Dotted paths into JSON and into an answer: `meta.next_cursor`, `filters.0.value`, `header:X-Total-Count`.

Here: finding a value, and setting one in a body. Add here when: paths need another syntax.
Keep out: the meaning of values (paginators.py, errors.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orgdata_dagster.http.redaction import excerpt

HEADER = "header:"


class _Missing:
    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()
"""The result of `find` if there is nothing at a path; null is a value."""


def find(body: Any, path: str) -> Any:
    """The value at a path of a JSON document; MISSING if there is none. An empty path is the document."""
    for part in path.split(".") if path else ():
        if isinstance(body, Mapping) and part in body:
            body = body[part]
        elif isinstance(body, Sequence) and not isinstance(body, str) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        else:
            return MISSING
    return body


def find_in_answer(body: Any, headers: Mapping[str, str], path: str) -> Any:
    """Like `find`; `header:Name` is a header of the answer."""
    if path.startswith(HEADER):
        return headers.get(path.removeprefix(HEADER).strip(), MISSING)
    return find(body, path)


def put(body: Any, path: str, value: Any) -> Any:
    """A copy of the document with this value at the path; missing objects on the way are created.

    Raises ValueError if the path leads into something that is not an object, or beyond the end of an array.
    """
    first, _, rest = path.partition(".")
    if isinstance(body, list):
        if not first.isdecimal() or int(first) >= len(body):
            raise ValueError(f"{first!r} is not an index of an array of {len(body)}")
        copy = list(body)
        copy[int(first)] = put(copy[int(first)], rest, value) if rest else value
        return copy
    if body is not None and not isinstance(body, Mapping):
        raise ValueError(f"{first!r} cannot be put into {type(body).__name__} {excerpt(str(body), 40)!r}")
    made = dict(body or {})
    made[first] = put(made.get(first), rest, value) if rest else value
    return made
