"""The endpoints under `/accutics`: one list an entity, in the envelopes of `vendor_apis/accutics.md`.

Here: routes, the token, the two envelopes. The document names no paths; an entity's name is its path.
Add here when: the document names an endpoint.
Keep out: rows (`entity`), the search language (`search`), pages (`paging`).
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics import paging, tokens
from orgdata_dagster.sandbox.accutics.entity import Entity
from orgdata_dagster.sandbox.accutics.problems import Problem
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.vendor import Row, Vendor

# The document states no limit; a polite client keeps these.
POLITE = Limits(rules=(Rule((Window(120, 60),)),), at_once=4)

ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class SeenRequest:
    """The argument of `on_request`: a request for a list, and its number, from 1."""

    number: int
    entity: str
    query: Mapping[str, str]


class Accutics(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    Any token of `tokens.jwt` is accepted until it expires. `on_request` is called in a separate thread before each list
    is computed, and may change the data.
    """

    name = "accutics"

    def __init__(
        self,
        entities: Iterable[Entity] = (),
        *,
        limits: Limits = POLITE,
        now: Callable[[], datetime] = instants.utc_now,
        on_request: Callable[[SeenRequest], None] | None = None,
    ) -> None:
        super().__init__(limits)
        self.entities = {entity.name: entity for entity in entities}
        self.now = now
        self.on_request = on_request
        self._numbers = itertools.count(1)

    def jwt(self, expires_in: float = 30 * 86_400) -> str:
        """A token that is valid for this number of seconds, by this vendor's clock."""
        return tokens.jwt(expires_in, now=self.now())

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/{path:path}", self._answer, methods=ANY_METHOD)]

    def controls(self) -> Sequence[BaseRoute]:
        return [Route("/token", self._token)]

    def credential(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and tokens.is_good(token, self.now()) else None

    def refuse_credential(self, request: Request, reason: str) -> Response:
        if request.headers.get("authorization", "").strip():
            problem = Problem(403, "authorization", reason)
        else:
            problem = Problem(401, "authorization_header_missing", "The Authorization header is missing or empty")
        return _error(problem, "unknown")

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        return _error(Problem(status, f"http_{status}", message), "unknown", headers)

    def truth(self, table: str) -> list[Row] | None:
        return self.entities[table].truth() if table in self.entities else None

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["path"]
        entity = self.entities.get(name)
        if entity is None or request.method != "GET":
            return _error(Problem(400, "invalid_route", f"No endpoint {request.method} /{name}"), "unknown")
        if self.on_request:
            seen = SeenRequest(next(self._numbers), name, dict(request.query_params))
            await asyncio.to_thread(self.on_request, seen)
        endpoint = f"{name}.index"
        try:
            rows, pagination = (_page if entity.paging == "page" else _cursor_page)(entity, request)
        except Problem as problem:
            return _error(problem, endpoint)
        count_rows(request, len(rows))
        return JSONResponse({"data": rows, "meta": {"endpoint": endpoint, "pagination": pagination}})

    async def _token(self, request: Request) -> Response:
        """`GET /_sandbox/accutics/token?expires_in=3600`: a token that is valid for an hour."""
        return JSONResponse({"token": self.jwt(float(request.query_params.get("expires_in", 30 * 86_400)))})


Listed = tuple[list[dict[str, Any]], dict[str, Any]]


def _page(entity: Entity, request: Request) -> Listed:
    params = request.query_params
    size, page = paging.size_of(params, entity.page_size, entity.max_page_size), paging.page_of(params)
    rows = entity.matching(params.get("search", ""), params.get("sort", ""))
    return rows[(page - 1) * size : page * size], paging.page_meta(request.url, page, size, len(rows))


def _cursor_page(entity: Entity, request: Request) -> Listed:
    params = request.query_params
    if "sort" in params:
        raise Problem(400, "invalid_sort", "Lists by cursor cannot be sorted", {"sort": params["sort"]})
    size = paging.size_of(params, entity.page_size, entity.max_page_size)
    rows, following = entity.after(paging.cursor_of(params), params.get("search", ""), size)
    return rows, paging.cursor_meta(request.url, size, following)


def _error(problem: Problem, endpoint: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": problem.error, "meta": {"endpoint": endpoint}}, problem.status, headers)
