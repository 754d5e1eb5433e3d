"""The endpoints under `/tracker`: projects, their issues, and one list per kind of paging of real APIs.

Here: routes, credentials, tokens, data for demos. Add here when: there is another list.
Keep out: pages (`shapes`), rows (`rows`).
"""

import asyncio
import base64
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.tracker import shapes
from orgdata_dagster.sandbox.tracker.rows import Item, Rows, instant, text
from orgdata_dagster.sandbox.vendor import Row, Vendor

TOKEN, CLIENT, SECRET = "sandbox-tracker-token", "sandbox-client", "sandbox-client-secret"
POLITE = Limits(rules=(Rule((Window(600, 60),)),), at_once=4)
TITLES = ("Crash on start", "naïve café", "👩🏽 東京", 'said "no"', "a, b; c", "LF\ninside", "null", "00123", "")


@dataclass(frozen=True)
class SeenRequest:
    """The argument of `on_request`: the number of the request, from 1, and its path."""

    number: int
    path: str


class Tracker(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    lists: name -> rows of `projects`, `issues` and the lists of `shapes`.
    size: rows per page.
    on_request: is called in a separate thread before each list is computed, and may change the data.
    token_life: seconds for which a fetched token is valid.
    headers: headers of every answer.
    """

    name = "tracker"
    secret_params = frozenset({"api_key"})

    def __init__(
        self,
        lists: dict[str, Rows],
        *,
        size: int = 20,
        limits: Limits = POLITE,
        on_request: Callable[[SeenRequest], None] | None = None,
    ) -> None:
        super().__init__(limits)
        self.lists = lists
        self.size = size
        self.on_request = on_request
        self.token_life = 3600.0
        self.tokens: dict[str, float] = {}
        self.headers: dict[str, str] = {}
        self._number = 0

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/v2/projects", self._projects),
            Route("/v2/projects/{project}/issues", self._issues),
            Route("/{name}", self._list, methods=["GET", "POST"]),
        ]

    def credential(self, request: Request) -> str | None:
        if request.url.path.endswith("/oauth/token"):
            return "tokens"
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if given == f"Basic {base64.b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}":
            return CLIENT
        known = given == TOKEN or self.tokens.get(given, 0) > time.monotonic()
        return given if known else (request.query_params.get("api_key") == TOKEN and TOKEN) or None

    def answer_headers(self, request_id: str) -> dict[str, str]:  # noqa: ARG002
        return dict(self.headers)

    def truth(self, table: str) -> list[Row] | None:
        return self.lists[table].all() if table in self.lists else None

    async def _call_hook(self, request: Request) -> None:
        self._number += 1
        if self.on_request:
            await asyncio.to_thread(self.on_request, SeenRequest(self._number, request.url.path))

    async def _token(self, request: Request) -> Response:
        form = dict(pair.split("=", 1) for pair in (await request.body()).decode().split("&"))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return self.refuse(401, "unknown client")
        token = secrets.token_hex(16)
        self.tokens[token] = time.monotonic() + self.token_life
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": self.token_life})

    async def _projects(self, request: Request) -> Response:
        await self._call_hook(request)
        found = self.lists["projects"].all()
        count_rows(request, len(found))
        return JSONResponse({"data": {"items": found}})

    async def _issues(self, request: Request) -> Response:
        await self._call_hook(request)
        project = int(request.path_params["project"])
        if project not in {row["id"] for row in self.lists["projects"].all()}:
            return self.refuse(404, "no such project")
        since, before = (request.query_params.get(name) for name in ("updated_since", "updated_before"))
        # in a thread, because a test's rows may wait for another request
        found = await asyncio.to_thread(
            self.lists["issues"].between, instant(since) if since else None, instant(before) if before else None
        )
        return shapes.cursor(request, [row for row in found if row["project"] == project], self.size)

    async def _list(self, request: Request) -> Response:
        await self._call_hook(request)
        rows = self.lists.get(request.path_params["name"])
        if rows is None:
            return self.refuse(404, "no such list")
        match request.path_params["name"]:
            case "links":
                return shapes.link_header(request, rows, self.size)
            case "charges":
                return shapes.last_id(request, rows, self.size)
            case "tickets":
                return shapes.export(request, rows, self.size)
            case "contacts":
                return await shapes.search(request, rows, self.size)
            case "events":
                return shapes.csv_of_day(request, rows)
            case "stream":
                return shapes.header_cursor(request, rows, self.size)
            case "lines":
                return shapes.json_lines(request, rows)
            case "texts":
                return shapes.csv_in_json(request, rows)
        return shapes.offset(request, rows, self.size)


LISTS = ("links", "charges", "tickets", "contacts", "orders", "events", "stream", "lines", "texts")


def demo(
    *,
    now: Callable[[], datetime] = instants.utc_now,
    days: int = 3,
    rows: int = 90,
    size: int = 20,
    seed: int = 0,
    limits: Limits = POLITE,
) -> Tracker:
    """The vendor with `rows` rows per list, changed over the `days` days up to `now`, some at the same instant."""
    made_at = now()

    def items(name: str) -> list[Item]:
        chance = random.Random(f"{seed}/{name}")
        return [_item(number, chance, made_at, days) for number in range(1, rows + 1)]

    projects: list[Item] = [
        {"id": number, "name": f"Project {number}", "updated_at": text(made_at - timedelta(days=1))}
        for number in (1, 2, 3)
    ]
    lists = {name: Rows(items(name), now=now) for name in ("issues", *LISTS)}
    return Tracker({"projects": Rows(projects, now=now), **lists}, size=size, limits=limits)


def _item(number: int, chance: random.Random, now: datetime, days: int) -> dict[str, Any]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    seconds = chance.choice([0, 0, 3600, chance.randrange(0, 80_000), 86_399.999])
    at = min(midnight - timedelta(days=chance.randrange(days)) + timedelta(seconds=seconds), now)
    return {
        "id": number,
        "updated_at": text(at),
        "project": chance.choice([1, 2]),
        "title": chance.choice(TITLES),
        "points": chance.choice([None, 0.1, 3, 5.25]),
        "labels": chance.choice([[], ["bug"], ["bug", "é"]]),
        "author": {"id": chance.randrange(9), "name": "Zoë"},
    }
