"""The expiry of a token: reading it from the token, and describing it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.http.rest.jwt import expiry, notice
from orgdata_dagster.sandbox.accutics import jwt

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def claims(**values: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b'=').decode()}.sig"


def test_the_end_is_read_without_the_key() -> None:
    assert expiry(jwt(3600, now=NOW)) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "token",
    [
        *("", "secret", "a.b.c", "a.!.c", "e30.e30.sig", "e30.WzFd.sig", "e30.bm9uc2Vuc2U.sig", "é.é.é"),
        *(claims(exp="soon"), claims(exp=None), claims(exp=1e30)),
    ],
)
def test_a_text_that_is_not_a_token_with_an_expiry_has_none(token: str) -> None:
    assert expiry(token) is None
    assert notice(token, NOW) is None


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=6, hours=23), "expires on 2026-03-17 11:00 UTC (in 6 days)"),
        (timedelta(hours=1, minutes=5), "expires on 2026-03-10 13:05 UTC (in 1 hour)"),
        (timedelta(seconds=70), "(in 1 minute)"),
        (timedelta(0), "expired on 2026-03-10 12:00 UTC (0 minutes ago)"),
        (timedelta(days=-2), "expired on 2026-03-08 12:00 UTC (2 days ago)"),
    ],
)
def test_in_words(left: timedelta, said: str | None) -> None:
    token = jwt(left.total_seconds(), now=NOW)
    told = notice(token, NOW)
    assert (said is None and told is None) or (told and said and said in told and token not in told)
