"""The API user's token, a JWT: when it expires.

Here: reading `exp` without verifying the signature, and a message about it. Keep out: sending the token.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(days=7)


def expiry(token: str) -> datetime | None:
    """When the token expires (UTC); None if it does not say, or is not a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, LookupError, TypeError, OverflowError, OSError):
        return None


def notice(token: str, now: datetime, *, ahead: timedelta = AHEAD) -> str | None:
    """A sentence about a token that has expired or will expire within `ahead`; None otherwise."""
    end = expiry(token)
    if end is None or end - now > ahead:
        return None
    when = f"{end:%Y-%m-%d %H:%M} UTC"
    if end <= now:
        return f"The token expired on {when} ({_span(now - end)} ago): ask accutics support for a new one."
    return f"The token expires on {when} (in {_span(end - now)}): ask accutics support for a new one."


def _span(time: timedelta) -> str:
    """`3 days`, `1 hour`, `12 minutes`: the largest unit, rounded down."""
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if count := time // size:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    count = time // timedelta(minutes=1)
    return f"{count} minute{'' if count == 1 else 's'}"
