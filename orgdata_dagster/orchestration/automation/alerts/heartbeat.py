"""The heartbeat: a URL that is requested once a minute, so that an external service notices when requests stop.

Here: pinging. Keep out: deciding whether there is a problem (sensor.py).

It works like healthchecks.io: a GET of the URL reports success, and a POST to `<URL>/fail` reports a problem. If the
daemon, the code location or the machine is down, neither is sent, and the service notifies people.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

import httpx

from orgdata_dagster.http import redaction
from orgdata_dagster.orchestration.automation.alerts.channels import NotSent, register

VARIABLE = "ORGDATA_HEARTBEAT_URL"
_SECONDS = 10


def url() -> str | None:
    """The URL, which is redacted from now on; None if none is configured."""
    if found := os.environ.get(VARIABLE, "").strip():
        register(found)
    return found or None


def ping(trouble: str = "") -> None:
    """Report success, or a problem if `trouble` is not empty. Does nothing without a URL. Raises NotSent."""
    target = url()
    if target is None:
        return
    try:
        if trouble:
            parts = urlsplit(target)
            failed = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
            answer = httpx.post(failed, content=redaction.redact(trouble).encode(), timeout=_SECONDS)
        else:
            answer = httpx.get(target, timeout=_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise NotSent(f"{VARIABLE}: HTTP {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSent(f"{VARIABLE}: {type(error).__name__}") from None  # the message may contain the URL
