"""The next page in `meta.pagination`, in every unambiguous spelling.

Here: reading `next` and `next_cursor`. Add here when: there is another unambiguous spelling.
Keep out: what follows from it (paging.py).

Links are never followed: behind a proxy they may have another scheme or an internal host name, and the token must not
be sent there. Only the page number or the cursor in them is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from orgdata_dagster.http.errors import UnsafeUrl
from orgdata_dagster.http.origin import resolve
from orgdata_dagster.http.redaction import excerpt

_log = logging.getLogger("orgdata.http")

# Spellings of "nothing" that might also be cursors: they count only if `next` says nothing too.
_MAYBE_NOTHING = ("null", "none", "nil", "undefined", "false", "0", "-1", "[]", "{}")


@dataclass(frozen=True)
class Following:
    """What `next` says.

    is_told: whether `next` is present.
    end: whether the list ends here; None for a link, or if that is unknown.
    value: the page number or cursor in the link.
    """

    is_told: bool
    end: bool | None = None
    value: str | None = None


def following(pagination: Mapping[str, Any], parameter: str, base_url: str) -> Following:
    """Read `next`. `parameter`: name of the page number or cursor in a link."""
    if "next" not in pagination:
        return Following(is_told=False)
    found = pagination["next"]
    if isinstance(found, Mapping):
        found = found.get("href", found.get("url"))
    if _is_nothing(found) or (isinstance(found, str) and found.strip().lower() in _MAYBE_NOTHING):
        return Following(is_told=True, end=True)
    if found is True:
        return Following(is_told=True, end=False)
    if isinstance(found, int):
        return Following(is_told=True, value=str(found))
    if not isinstance(found, str):
        return Following(is_told=True)
    return Following(is_told=True, value=_parameter(found, parameter, base_url))


def cursor(pagination: Mapping[str, Any], link: Following) -> str | None:
    """The cursor of the next page; None if there is no next page. `link`: what `next` says."""
    if "next_cursor" not in pagination:
        return link.value
    found = pagination["next_cursor"]
    if _is_nothing(found) or (link.end and str(found).strip().lower() in _MAYBE_NOTHING):
        return None
    return str(found)


def _is_nothing(found: object) -> bool:
    if isinstance(found, str):
        return not found.strip()
    return found is None or found is False or (isinstance(found, (list, dict)) and not found)


def _parameter(link: str, name: str, base_url: str) -> str | None:
    try:
        resolve(base_url, link)
    except UnsafeUrl as error:
        _warn_once(error.message)
    try:
        return httpx.URL(link).params.get(name)
    except httpx.InvalidURL:
        return None


@cache
def _warn_once(message: str) -> None:
    _log.warning(
        "accutics: %s; the link is not followed, only its page number or cursor is used", excerpt(message, 300)
    )
