"""Authentication: what a request carries so that the vendor knows who asks.

Here: `Auth` for credentials that stay as they are, `ClientCredentials` for OAuth 2 tokens that are fetched and renewed.
Add here: another way to authenticate. Keep out: where credentials come from (a vendor's resource.py).
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from orgdata_dagster.http import redaction
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download

_EARLY, _SHARE = 60.0, 0.1  # a token is renewed so many seconds, and so much of its life, before it expires
_IN_MEMORY = "/dev/shm"


class Auth(Protocol):
    """`headers` go with the next request. `renew`: after a 401 to one with these headers; whether to try again."""

    def headers(self) -> Mapping[str, str]: ...
    def renew(self, refused: Mapping[str, str]) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Fixed:
    """Headers that stay as they are; a 401 is final. An API key in the query is a parameter of the HTTP client."""

    given: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> Mapping[str, str]:
        """The same for every request."""
        return self.given

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002
        """There is nothing to renew."""
        return False

    def close(self) -> None:
        """Nothing to close."""


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {token}"}


def basic(username: str, password: str) -> dict[str, str]:
    """The header of a user name and a password; what it holds is made unspeakable, as the password is."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    redaction.register(pair)
    return {"Authorization": f"Basic {pair}"}


class ClientCredentials:
    """OAuth 2 client credentials (RFC 6749, 4.4): a token fetched through `http`, which pays the vendor's rate limit.

    The token is renewed before it expires, and once after a 401. `path`: of the address where tokens are fetched.
    `extra`: more fields of the request, as `scope`. `in_header`: the client authenticates by a Basic header, else by
    fields of the body.
    """

    def __init__(
        self,
        http: HttpClient,
        client_id: str,
        client_secret: str,
        *,
        path: str = "/token",
        extra: Mapping[str, str] | None = None,
        in_header: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._http = http
        self._id, self._secret = client_id, client_secret
        self._extra = dict(extra or {})
        self._in_header = in_header
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def headers(self) -> Mapping[str, str]:
        """The header of a token that is good for a while."""
        with self._lock:
            if not self._token or self._clock.monotonic() >= self._until:
                self._fetch()
            return bearer(self._token)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Fetch another token, unless another thread has done so since."""
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._fetch()
            return True

    def close(self) -> None:
        """Close the connections to where tokens come from."""
        self._http.close()

    def _fetch(self) -> None:
        fields = {"grant_type": "client_credentials", **self._extra}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self._in_header:
            headers |= basic(quote(self._id, safe=""), quote(self._secret, safe=""))
        else:
            fields |= {"client_id": self._id, "client_secret": self._secret}
        began = self._clock.monotonic()
        where = _IN_MEMORY if os.path.isdir(_IN_MEMORY) else None
        with tempfile.TemporaryDirectory(dir=where) as folder:
            answer = self._http.fetch(
                self._path, method="POST", content=urlencode(fields).encode(), headers=headers,
                into=Path(folder) / "token", read=_token,
            )  # fmt: skip
        self._token, life = answer
        self._until = began + max(0.0, life - max(_EARLY if life > 10 * _EARLY else 0.0, life * _SHARE))


def _token(download: Download) -> tuple[str, float]:
    """The token and the seconds it lives; where the answer does not say, a token lives until it is refused."""
    try:
        found: Any = json.loads(download.path.read_bytes())
        token, life = found["access_token"], found.get("expires_in")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise BadBody("the answer holds no access_token") from None
    finally:
        download.path.unlink(missing_ok=True)
    if not isinstance(token, str) or not token:
        raise BadBody("the answer holds no access_token")
    redaction.register(token)
    try:
        return token, float(life)
    except (TypeError, ValueError):
        return token, 10 * 365 * 86_400.0
