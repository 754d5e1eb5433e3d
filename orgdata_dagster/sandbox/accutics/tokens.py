"""The JSON web tokens of API users: issued here, recognised by their signature, invalid once expired.

Here: HS256 and the three claims that a client can see.
Add here when: the document says more about tokens; it says only that support issues them.
Keep out: the answer to an invalid token (`api`).
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from orgdata_dagster.sandbox import instants

# fixed, so that a token stays valid when the sandbox is restarted
SECRET = b"sandbox"

_HEADER = {"alg": "HS256", "typ": "JWT"}


def jwt(expires_in: float = 30 * 86_400, *, now: datetime | None = None) -> str:
    """A token that every sandbox accepts. expires_in: seconds from `now`; negative: it has expired already."""
    issued = int((now or instants.utc_now()).timestamp())
    claims = {"sub": "api-user@sandbox", "iat": issued, "exp": issued + int(expires_in)}
    signed = f"{_encode(json.dumps(_HEADER).encode())}.{_encode(json.dumps(claims).encode())}"
    return f"{signed}.{_encode(_signature(signed))}"


def is_good(token: str, now: datetime) -> bool:
    """Whether the token was issued by a sandbox and has not expired."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_encode(_signature(signed)).encode(), signature.encode()):
        return False
    return bool(_claims(signed)["exp"] > now.timestamp())


def _claims(signed: str) -> dict[str, Any]:
    text = signed.partition(".")[2]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return claims


def _signature(signed: str) -> bytes:
    return hmac.new(SECRET, signed.encode(), hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
