"""The base of every vendor's client, which sends its requests through an HttpClient.

Here: opening and closing. Keep out: requests (a vendor's client.py), sending (client.py).
"""

from __future__ import annotations

from typing import Self

from orgdata_dagster.http.client import HttpClient


class ApiClient:
    """A client for a `with` block, at the end of which it closes `http`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
