"""The project's shared state, as the environment configures it.

Here: `shared_state`. Keep out: the stores (state/), anything that needs Dagster.
"""

from __future__ import annotations

import os
from contextlib import suppress
from urllib.parse import parse_qs, unquote, urlsplit

from orgdata_dagster import settings
from orgdata_dagster.http import redaction
from orgdata_dagster.state import State, open_state


def shared_state() -> State:
    """The store in which processes share rate limits, circuit breakers, locks and claims.

    Raises SettingsError or StateUnavailable.
    """
    uri = settings.state_uri()
    if uri is not None:
        redaction.register(*_passwords(uri))
    return open_state(uri, settings.home())


def _passwords(uri: str) -> list[str]:
    named_elsewhere = os.environ.get("PGPASSWORD", "")
    with suppress(ValueError):  # the store reports a malformed URI
        parts = urlsplit(uri)
        named = parse_qs(parts.query)
        return [
            named_elsewhere,
            unquote(parts.password or ""),
            *named.get("password", ()),
            *named.get("sslpassword", ()),
        ]
    return [named_elsewhere]
