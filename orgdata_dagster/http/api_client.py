"""The base of every vendor's client, which sends its requests through an HttpClient.

Here: opening and closing, and requests whose answer is small. Keep out: requests (a vendor's client.py), sending
(client.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.records import Download

T = TypeVar("T")


class ApiClient:
    """A client for a `with` block, at the end of which it closes `http`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _read(self, endpoint: str, read: Callable[[Download], T], **request: Any) -> T:
        """The result of `read` of an answer whose file is not needed afterwards.

        request: the other arguments of HttpClient.fetch, whose errors it raises.
        """
        with tempfile.TemporaryDirectory() as folder:
            return self._http.fetch(endpoint, into=Path(folder) / "answer", read=read, **request)
