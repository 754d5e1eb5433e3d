"""The data of one fetch: the request, the file for the body, and the attempts.

Here: `Call`, and the types of the parts that callers pass.
Keep out: sending (client.py), the record of a request (records.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from orgdata_dagster.http import redaction
from orgdata_dagster.http.records import Observer
from orgdata_dagster.http.retry import Attempts

Param = str | int | float | bool | None | Sequence[str | int | float | bool]
Params = Mapping[str, Param]


@dataclass(frozen=True)
class Call:
    """A fetch. `cost`: points per attempt. `into`: the file for the body. `observer` receives a record per request.

    small: a body of at most so many bytes is kept in memory.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    json: Any
    content: bytes | None
    cost: float
    into: Path
    attempts: Attempts
    observer: Observer
    small: int = 0

    @cached_property
    def endpoint(self) -> str:
        """The path for logs and errors, without secrets."""
        return redaction.redact(self.url.path)
