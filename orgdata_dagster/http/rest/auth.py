"""Authentication: the headers that a request needs.

Here: `Fixed` for credentials that do not change, `ClientCredentials` for OAuth 2 tokens that are fetched and renewed.
Add here when: there is another way to authenticate. Keep out: where credentials come from (a vendor's resource.py).
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

# a token is renewed so many seconds, or this share of its life, before it expires, whichever is earlier
_EARLY, _SHARE = 60.0, 0.1
_IN_MEMORY = "/dev/shm"


class Auth(Protocol):
    """Adds headers to requests. `renew` is called with the refused headers after a 401; returns whether to retry."""

    def headers(self) -> Mapping[str, str]: ...
    def renew(self, refused: Mapping[str, str]) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Fixed:
    """Headers that do not change; a 401 is final. An API key in the query is a parameter of the HTTP client."""

    given: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> Mapping[str, str]:
        """The same headers for every request."""
        return self.given

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002
        """No-op: nothing can be renewed."""
        return False

    def close(self) -> None:
        """No-op."""


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {token}"}


def basic(username: str, password: str) -> dict[str, str]:
    """The header of a user name and a password. Its value is a secret and never shown."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    redaction.register(pair)
    return {"Authorization": f"Basic {pair}"}


class ClientCredentials:
    """OAuth 2 client credentials (RFC 6749, 4.4): a token fetched through `http`, which keeps the vendor's rate limit.

    The token is renewed before it expires, and once after a 401.

    path: path of the address where tokens are fetched.
    extra: more fields of the request, such as `scope`.
    in_header: whether the client authenticates with a Basic header instead of fields of the body.
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
        """The header of a valid token."""
        with self._lock:
            if not self._token or self._clock.monotonic() >= self._until:
                self._fetch()
            return bearer(self._token)

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Fetch another token, unless another thread has already done so."""
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._fetch()
            return True

    def close(self) -> None:
        """Close the connections to the address of the tokens."""
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
    """The token and its lifetime in seconds; if the answer has none, the token is used until it is refused."""
    try:
        found: Any = json.loads(download.path.read_bytes())
        token, life = found["access_token"], found.get("expires_in")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise BadBody("the answer has no access_token") from None
    finally:
        download.path.unlink(missing_ok=True)
    if not isinstance(token, str) or not token:
        raise BadBody("the answer has no access_token")
    redaction.register_token(token)
    try:
        return token, float(life)
    except (TypeError, ValueError):
        return token, 10 * 365 * 86_400.0
