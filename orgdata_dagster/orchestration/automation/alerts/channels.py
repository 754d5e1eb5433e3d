"""The channels of alerts: a Slack-compatible webhook, and e-mail.

Here: `channels`, which the environment configures, and sending. Add here when: there is another channel.
Keep out: the text of a message, and when it is sent.

ORGDATA_SLACK_WEBHOOK_URL: receives `{"text": ...}` as JSON.
ORGDATA_SMTP_URL: `smtp://user:password@host:587`, with STARTTLS if the server offers it, or `smtps://`.
ORGDATA_ALERT_TO: addresses, separated by commas. ORGDATA_ALERT_FROM: default is the first of them.
Both URLs are secrets.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import httpx

from orgdata_dagster.http import redaction

SLACK, SMTP, TO, FROM = "ORGDATA_SLACK_WEBHOOK_URL", "ORGDATA_SMTP_URL", "ORGDATA_ALERT_TO", "ORGDATA_ALERT_FROM"
_SECONDS = 15


class NotSent(Exception):
    """A message could not be sent. The text names the variable and the reason."""


@dataclass(frozen=True)
class Message:
    """A message: subject line and text."""

    subject: str
    text: str


Send = Callable[[Message], None]


def channels() -> dict[str, Send]:
    """Configured channel -> function that sends a message or raises NotSent. Raises ValueError for a bad setting."""
    found: dict[str, Send] = {}
    if url := os.environ.get(SLACK):
        redaction.register(url, urlsplit(url).path)
        found["Slack"] = lambda message: _post(url, message)
    if server := os.environ.get(SMTP):
        parts = urlsplit(server)
        redaction.register(server, *filter(None, [parts.password, unquote(parts.password or "")]))
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError(f"{SMTP} is not of the form smtp://user:password@host:587")
        if not os.environ.get(TO):
            raise ValueError(f"{SMTP} is set, but {TO} is not: set it to the addresses that receive the messages")
        found["e-mail"] = lambda message: _mail(server, message)
    return found


def _post(url: str, message: Message) -> None:
    try:
        answer = httpx.post(url, json={"text": f"*{message.subject}*\n{message.text}"}, timeout=_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise NotSent(f"{SLACK}: HTTP {error.response.status_code}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSent(f"{SLACK}: {type(error).__name__}") from None  # the message may contain the URL


def _mail(server: str, message: Message) -> None:
    parts = urlsplit(server)
    to = [address.strip() for address in os.environ.get(TO, "").split(",") if address.strip()]
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.subject, os.environ.get(FROM) or to[0], ", ".join(to)
    mail.set_content(message.text)
    host, encrypted = parts.hostname or "", parts.scheme == "smtps"
    try:
        trusted = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=trusted)
            if encrypted
            else smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
        ) as connection:
            connection.ehlo()
            if not encrypted and connection.has_extn("starttls"):
                connection.starttls(context=trusted)
                connection.ehlo()
            if parts.username:
                connection.login(unquote(parts.username), unquote(parts.password or ""))
            connection.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(redaction.redact(f"{SMTP}: {type(error).__name__} {error}")) from None
