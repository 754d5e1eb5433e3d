"""The results of a fetch: the download for its reader, and a record of every request for the observer.

Here: plain values without secrets.
Add here when: a reader or the ledger needs another fact about a request.
Keep out: creating them (client.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

Content = bytes  # a field of a download is called `bytes`


@dataclass(frozen=True)
class Download:
    """A complete body in a file.

    path: the file; missing if the body is in `content`.
    bytes: size of the body.
    server_time: the vendor's clock when it answered (Date header, UTC, whole seconds); None without that header.
    waited: seconds spent waiting for the rate limit, over all `attempts`.
    endpoint: path without the query.
    replaced_characters: number of invalid characters that were replaced by U+FFFD.
    content: the body, if it is so small that the caller of `fetch` wants it in memory.
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
    content: Content | None = field(default=None, repr=False)


@dataclass
class RequestRecord:
    """One request as it was sent; every retry and redirect has its own record.

    endpoint: path without the query. `cost`: points.
    waited: seconds spent waiting for the rate limit. `seconds`: duration of the exchange.
    bytes: number of bytes received. `error`: None if the answer was used.
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
        """The first of the vendor's request ids; None if it sent none."""
        return next(iter(self.request_ids.values()), None)


Observer = Callable[[RequestRecord], None]
"""Receives the record of every request."""
