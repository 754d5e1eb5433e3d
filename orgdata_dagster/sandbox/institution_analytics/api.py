"""The endpoint: `GET /institution_analytics/analytics`, as `vendor_apis/institution_analytics.md` has it.

Here: the parameters with their defaults, the page size, what a wrong request is told. The document names
neither path, parameters nor header; these are the defaults orgdata's client has too.
Add here when: the document says something the endpoint does not do.
Keep out: how rows are kept and ordered (`data_set`).
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
from orgdata_dagster.sandbox.institution_analytics.data_set import DataSet, Page
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.vendor import Row, Vendor

# The document names no limit; these are the ones a polite client keeps.
POLITE = Limits(rules=(Rule((Window(120, 60),)),), at_once=2)
DEFAULT_KEY = "sandbox-key"


class Readable(Protocol):
    """What a page can be cut from."""

    @property
    def header(self) -> bytes: ...
    def page(self, after: int, before: int, limit: int) -> Page: ...
    def truth(self) -> list[Row]: ...


@dataclass(frozen=True)
class PageRequest:
    """What `on_request` is told: the request's interval, after defaults, and its number, from 1."""

    number: int
    data_set: str
    updated_after: datetime
    updated_before: datetime


class InstitutionAnalytics(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    `page_rows` above 1000 are approximate, as documented: a few more or less each time. `now` is the vendor's
    clock. `empty_header=False` answers an interval without rows with zero bytes instead of the header.
    `on_request` is called before each page is computed, in a thread of its own, and may change the data.
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
        on_request: Callable[[PageRequest], None] | None = None,
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
            # The default is 7 days before now, not before `updated_before`: so the document.
            after = _instant(request, "updated_after", now - timedelta(days=7))
            before = _instant(request, "updated_before", now)
        except ValueError as wrong:
            return self.refuse(400, str(wrong))
        if self.on_request:
            asked = PageRequest(next(self._numbers), name, *map(instants.to_datetime, (after, before)))
            await asyncio.to_thread(self.on_request, asked)
        page = data_set.page(after, before, self._page_rows())
        count_rows(request, page.rows)
        body = data_set.header + page.body if page.rows or self.empty_header else b""
        return Response(body, media_type="text/csv")

    def _page_rows(self) -> int:
        return self.page_rows + (self._random.randint(-9, 9) if self.page_rows > 1000 else 0)

    async def _touch(self, request: Request) -> Response:
        """`POST /_sandbox/institution_analytics/<data_set>/touch?n=10`: so many rows change now."""
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
