"""What a fetch hands out: the download to its reader, and a record of every request to the observer.

What lives here: plain values, with nothing in them that a log or a table must not show.
Add here when: a reader or the ledger needs one more fact about a request.
Keep out: how they come about (`client`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx


@dataclass(frozen=True)
class Download:
    """A whole body in a file: `bytes` of it, after `attempts` that `waited` so many seconds for the rate limit.

    `server_time` is the vendor's clock when it answered (Date header, UTC, whole seconds), None where it did
    not say. `replaced_characters`: how many characters that no text can have were replaced by U+FFFD.
    """

    path: Path
    status: int
    headers: httpx.Headers
    bytes: int
    server_time: datetime | None
    waited: float
    attempts: int
    endpoint: str
    replaced_characters: int = 0


@dataclass
class RequestRecord:
    """One request as it was sent and paid for: a retry or a redirect is a record of its own.

    `endpoint` is the path without the query; `waited` the seconds for the rate limit, `seconds` the exchange
    itself, `bytes` what came over the wire; `error` is None if the answer was used.
    """

    vendor: str
    endpoint: str
    method: str
    at: datetime
    attempt: int
    cost: float
    waited: float
    status: int | None = None
    seconds: float = 0.0
    bytes: int = 0
    request_ids: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def request_id(self) -> str | None:
        """The first of the vendor's request ids, None if it sent none."""
        return next(iter(self.request_ids.values()), None)
