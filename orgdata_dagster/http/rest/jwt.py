"""Tokens that are JWTs: when they expire.

Here: reading `exp` without verifying the signature, and a message about it. Keep out: sending tokens (auth.py).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from orgdata_dagster.http.errors import VendorError

AHEAD = timedelta(days=7)
RENEW = "renew it"


def expiry(token: str) -> datetime | None:
    """When the token expires (UTC); None if it has no expiry, or is not a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, LookupError, TypeError, OverflowError, OSError):
        return None


def notice(token: str, now: datetime, *, ahead: timedelta = AHEAD, renew: str = RENEW) -> str | None:
    """A sentence about a token that has expired or will expire within `ahead`; None otherwise.

    renew: how to get a new one, as an imperative.
    """
    end = expiry(token)
    if end is None or end - now > ahead:
        return None
    when = f"{end:%Y-%m-%d %H:%M} UTC"
    if end <= now:
        return f"The token expired on {when} ({_span(now - end)} ago): {renew}."
    return f"The token expires on {when} (in {_span(end - now)}): {renew}."


def refused(
    token: str, renew: str, error: VendorError, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> str | None:
    """The sentence of `notice` if a request was refused because its token has expired, which vendors often hide."""
    return notice(token, now(), ahead=timedelta(0), renew=renew) if error.status in (401, 403) else None


def _span(time: timedelta) -> str:
    """`3 days`, `1 hour`, `12 minutes`: the largest unit, rounded down."""
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if count := time // size:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    count = time // timedelta(minutes=1)
    return f"{count} minute{'' if count == 1 else 's'}"
