"""The channels of alerts: one Apprise URL per environment variable, and sending through Apprise.

Here: the variables, and `send`. Keep out: the text of a message, and when it is sent.

`ORGDATA_ALERT_URL`, and every variable with the prefix `ORGDATA_ALERT_URL_`, contains one URL: `slack://...`,
`mailto://...`, `json://...` or any other that Apprise supports. The URLs are secrets, so that messages and errors
contain the variable's name. Apprise is the extra `alerts`, and is imported when a message is sent.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from orgdata_dagster.http import redaction

URL = "ORGDATA_ALERT_URL"
_BETWEEN = re.compile(r"[/?&=,:@]+")
_SHORT, _LONG = 8, 20  # characters of a token with a digit, and of one without
REMEDY = "install Apprise with pip install 'orgdata[alerts]'"


class NotSent(Exception):
    """A message could not be sent. The text names the variable and the reason."""


@dataclass(frozen=True)
class Message:
    """A message. `good`: whether it only reports the end of problems."""

    subject: str
    text: str
    good: bool = False


def channels() -> Mapping[str, str]:
    """Variable -> its URL, by name. The URLs are redacted from now on."""
    found = {name: os.environ[name].strip() for name in sorted(os.environ) if name == URL or name.startswith(f"{URL}_")}
    found = {name: url for name, url in found.items() if url}
    for url in found.values():
        register(url)
    return found


def register(url: str) -> None:
    """Redact from now on the parts of a URL that may be secret: password, path, tokens; but not the host's name."""
    parts = urlsplit(url)
    words = [word for word in _BETWEEN.split(url) if _may_be_a_token(word)]
    if "." in (host := parts.hostname or ""):  # else it may be a token, as in slack://TOKEN/...
        words = [word for word in words if word.lower() != host]
    passwords = [parts.password or "", unquote(parts.password or "")]
    redaction.register(parts.path, *words, *map(unquote, words), *passwords)


def _may_be_a_token(word: str) -> bool:
    """Whether a part of a URL may be a token. Words such as `services` are not, because they occur in other texts."""
    return len(word) >= _LONG or (len(word) >= _SHORT and any(map(str.isdigit, word)))


def is_installed() -> bool:
    """Whether Apprise is installed. Looks for it without importing it."""
    return find_spec("apprise") is not None


def send(variable: str, url: str, message: Message) -> None:
    """Send a message to the URL of a variable. Raises NotSent."""
    if not is_installed():
        raise NotSent(f"{variable} is set, but Apprise is not installed: {REMEDY}")
    import apprise

    errors = _ErrorLog()
    logger = logging.getLogger("apprise")
    logger.addHandler(errors)
    propagates, logger.propagate = logger.propagate, False
    try:
        channel = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if channel is None:
            raise NotSent(f"{variable} is not a URL that Apprise knows: see https://appriseit.com/services/")
        kind = apprise.NotifyType.SUCCESS if message.good else apprise.NotifyType.FAILURE
        sent = apprise.Apprise()
        sent.add(channel)
        if not sent.notify(title=message.subject, body=message.text, notify_type=kind):
            raise NotSent(redaction.redact(f"{variable}: not sent{errors}"))
    except NotSent:
        raise
    except Exception as error:  # noqa: BLE001 - a hundred services have as many kinds of errors
        raise NotSent(redaction.redact(f"{variable}: {type(error).__name__}: {error}")) from None
    finally:
        logger.removeHandler(errors)
        logger.propagate = propagates


class _ErrorLog(logging.Handler):
    """Collects Apprise's log while it sends, because only the log contains the reason of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(" ".join(record.getMessage().split()))

    def __str__(self) -> str:
        return f" ({'; '.join(self.lines[:3])})" if self.lines else ""
