"""Reading the reference to the next page in an answer, in every unambiguous spelling.

Here: reading the member with the link, number or flag of the next page. Add here when: there is another unambiguous
spelling. Keep out: the next request (paginators.py, next_page.py), the `Link` header (links.py).

Links are only read here, never followed: behind a proxy they may have another scheme or an internal host name, and
credentials must not be sent there. Only the page number or the cursor in them is used.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx

from orgdata_dagster.http.errors import UnsafeUrl
from orgdata_dagster.http.origin import resolve
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.answers import PageAnswer
from orgdata_dagster.http.rest.paths import MISSING

_log = logging.getLogger("orgdata.http")

# Spellings of "no next page" that might also be cursors. They count only if the answer also ends the list elsewhere.
_MAYBE_NOTHING = ("null", "none", "nil", "undefined", "false", "0", "-1", "[]", "{}")


@dataclass(frozen=True)
class Following:
    """The reference to the next page.

    is_present: whether the member is present.
    end: whether the list ends here; None for a link, or if that is unknown.
    value: the page number or cursor in the link.
    """

    is_present: bool
    end: bool | None = None
    value: str | None = None


def following(answer: PageAnswer, path: str, parameter: str) -> Following:
    """Read the member at `path`. `parameter`: name of the page number or cursor in a link."""
    found = answer.find(path)
    if found is MISSING:
        return Following(is_present=False)
    if isinstance(found, Mapping):
        found = found.get("href", found.get("url"))
    if is_nothing(found) or (isinstance(found, str) and may_be_nothing(found)):
        return Following(is_present=True, end=True)
    if found is True:
        return Following(is_present=True, end=False)
    if isinstance(found, int):
        return Following(is_present=True, value=str(found))
    if not isinstance(found, str):
        return Following(is_present=True)
    return Following(is_present=True, value=_parameter(found, parameter, answer.base_url))


def is_nothing(found: object) -> bool:
    """Whether the value cannot be anything but "no next page"."""
    if isinstance(found, str):
        return not found.strip()
    return found is None or found is False or (isinstance(found, (list, dict)) and not found)


def may_be_nothing(found: object) -> bool:
    """Whether the value means "no next page" for some vendors, and is a cursor for others."""
    return str(found).strip().lower() in _MAYBE_NOTHING


def _parameter(link: str, name: str, base_url: str) -> str | None:
    try:
        if base_url:
            resolve(base_url, link)
    except UnsafeUrl as error:
        warn_once(error.message)
    try:
        params = httpx.URL(link).params
    except httpx.InvalidURL:
        return None
    return str(params[name]) if name in params else None


@cache
def warn_once(message: str) -> None:
    """Log a warning about a link, once per process."""
    _log.warning("%s; the link is not followed, only its page number or cursor is used", excerpt(message, 300))
