"""The endpoint `GET /institution_analytics/analytics`, as `vendor_apis/institution_analytics.md` describes it.

Here: the parameters with their defaults and errors, the page size. The document names neither path, parameters nor
header; they are as orgdata's client expects them by default.
Add here when: the document describes something that the endpoint does not do.
Keep out: storing and ordering rows (`data_set`).
"""

import asyncio
import itertools
import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.instants import utc_now
from orgdata_dagster.sandbox.institution_analytics.data_set import CsvPage, DataSet
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.vendor import Row, Vendor

# The document states no limit; a polite client keeps these.
POLITE = Limits(rules=(Rule((Window(120, 60),)),), at_once=2)
DEFAULT_KEY = "sandbox-key"


class Readable(Protocol):
    """Rows that can be served in pages."""

    @property
    def header(self) -> bytes: ...
    def page(self, after: int, before: int, limit: int) -> CsvPage: ...
    def truth(self) -> list[Row]: ...


@dataclass(frozen=True)
class SeenRequest:
    """The argument of `on_request`: the interval of a request, including defaults, and its number, from 1."""

    number: int
    data_set: str
    updated_after: datetime
    updated_before: datetime


class InstitutionAnalytics(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    page_rows: rows per page. Above 1000 it is approximate, as documented: a few more or less each time.
    now: the vendor's clock.
    empty_header: whether an answer without rows has the header; otherwise it has zero bytes.
    on_request: is called in a separate thread before each page is computed, and may change the data.
    """

    name = "institution_analytics"

    def __init__(
        self,
        data_sets: Iterable[DataSet] = (),
        *,
        api_key: str = DEFAULT_KEY,
        page_rows: int = 20_000,
        limits: Limits = POLITE,
        now: Callable[[], datetime] = utc_now,
        empty_header: bool = True,
        on_request: Callable[[SeenRequest], None] | None = None,
        read_only: Mapping[str, Readable] | None = None,
    ) -> None:
        super().__init__(limits)
        self.data_sets = {data_set.name: data_set for data_set in data_sets}
        self.api_key = api_key
        self.page_rows = page_rows
        self.now = now
        self.empty_header = empty_header
        self.on_request = on_request
        self._read_only = dict(read_only or {})
        self._numbers = itertools.count(1)
        self._random = random.Random(0)

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/analytics", self._analytics)]

    def controls(self) -> Sequence[BaseRoute]:
        return [Route("/{data_set}/touch", self._touch, methods=["POST"])]

    def credential(self, request: Request) -> str | None:
        key = request.headers.get("api-key", "")
        return key if secrets.compare_digest(key.encode(), self.api_key.encode()) else None

    def truth(self, table: str) -> list[Row] | None:
        found = self._find(table)
        return None if found is None else found.truth()

    def _find(self, name: str) -> Readable | None:
        return self.data_sets.get(name, self._read_only.get(name))

    async def _analytics(self, request: Request) -> Response:
        name = request.query_params.get("data_set", "")
        data_set = self._find(name)
        if data_set is None:
            known = ", ".join([*self.data_sets, *self._read_only])
            return self.refuse(400, f"unknown data_set {name!r}; one of: {known}")
        now = self.now()
        try:
            # by the document, the default is 7 days before now, not before `updated_before`
            after = _instant(request, "updated_after", now - timedelta(days=7))
            before = _instant(request, "updated_before", now)
        except ValueError as wrong:
            return self.refuse(400, str(wrong))
        if self.on_request:
            seen = SeenRequest(next(self._numbers), name, *map(instants.to_datetime, (after, before)))
            await asyncio.to_thread(self.on_request, seen)
        page = data_set.page(after, before, self._page_rows())
        count_rows(request, page.rows)
        body = data_set.header + page.body if page.rows or self.empty_header else b""
        return Response(body, media_type="text/csv")

    def _page_rows(self) -> int:
        return self.page_rows + (self._random.randint(-9, 9) if self.page_rows > 1000 else 0)

    async def _touch(self, request: Request) -> Response:
        """`POST /_sandbox/institution_analytics/<data_set>/touch?n=10`: changes ten rows now."""
        data_set = self.data_sets.get(request.path_params["data_set"])
        if data_set is None:
            return self.refuse(404, f"no data set that can change; there are {', '.join(self.data_sets)}")
        rows = data_set.truth()
        wanted = min(int(request.query_params.get("n", "10")), len(rows))
        keys = [str(row[data_set.key]) for row in self._random.sample(rows, wanted)]
        return JSONResponse({"touched": sum(data_set.touch(key, self.now()) for key in keys)})


def _instant(request: Request, name: str, default: datetime) -> int:
    text = request.query_params.get(name)
    if text is None:
        return instants.from_datetime(default)
    try:
        return instants.from_text(text)
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from None
