"""The endpoints under `/octolis/v1/data`, as `vendor_apis/octolis.md` describes them.

Here: routes, points, headers, and the checks before every answer (hook, mandatory headers, read-only, busy).
Add here when: the document has another endpoint, or another rule for all endpoints.
Keep out: changing records (`dataset`), reading (`query`, `export`) and writing them (`writing`).
"""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.octolis import export, problems, writing
from orgdata_dagster.sandbox.octolis.columns import ALL_MASTERIDS, Column
from orgdata_dagster.sandbox.octolis.dataset import Dataset
from orgdata_dagster.sandbox.octolis.problems import Problem
from orgdata_dagster.sandbox.octolis.query import Query, Served
from orgdata_dagster.sandbox.octolis.requests import Endpoint, need_headers, payload_of, problems_answered
from orgdata_dagster.sandbox.octolis.webhooks import Webhook, WebhookCall
from orgdata_dagster.sandbox.vendor import Row, Vendor

DEFAULT_KEY = "sandbox-octolis-key"

# "25 points per second plus 150 points per minute" per key, "2000 points per minute" per account
DOCUMENTED = Limits(rules=(Rule((Window(25, 1), Window(150, 60))), Rule((Window(2000, 60),), shared=True)))
READ_POINTS, WRITE_POINTS = 1, 10

ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Readable(Protocol):
    """A dataset that can be read."""

    @property
    def columns(self) -> Mapping[str, Column]: ...
    def newest_first(self) -> Sequence[Served]: ...
    def get(self, masterid: str) -> Served: ...
    def truth(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class SeenRequest:
    """The argument of `on_request`: a request to a dataset, and its number, from 1."""

    number: int
    method: str
    dataset: str
    path: str
    query: Mapping[str, str]


Hook = Callable[[SeenRequest], None]


class Octolis(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    api_keys: keys of the same account.
    all_or_none: whether one wrong row makes the whole batch fail.
    on_request: is called in a separate thread before each answer of a dataset is computed, and may change the data.
    """

    name = "octolis"
    secret_params = frozenset({"api-key"})

    def __init__(
        self,
        datasets: Iterable[Dataset] = (),
        webhooks: Iterable[Webhook] = (),
        *,
        api_keys: Iterable[str] = (DEFAULT_KEY,),
        limits: Limits = DOCUMENTED,
        all_or_none: bool = False,
        now: Callable[[], datetime] = instants.utc_now,
        on_request: Hook | None = None,
        bulk: Mapping[str, Readable] | None = None,
    ) -> None:
        super().__init__(limits)
        self.datasets = {dataset.id: dataset for dataset in datasets}
        self.webhooks = {webhook.id: webhook for webhook in webhooks}
        self.webhook_calls: list[WebhookCall] = []
        self.api_keys = set(api_keys)
        self.all_or_none = all_or_none
        self.now = now
        self.on_request = on_request
        self._bulk = dict(bulk or {})
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[BaseRoute]:
        records = "/v1/data/datasets/{dataset}/records"
        return [
            Route(records, self._reading(self._list), methods=["GET"]),
            Route(f"{records}/count", self._reading(self._count), methods=["GET"]),
            Route(f"{records}/{{masterid}}", self._reading(self._get), methods=["GET"]),
            Route(records, self._writing(writing.upsert), methods=["POST"]),
            Route(f"{records}/batch", self._writing(self._upsert_batch), methods=["POST"]),
            Route(f"{records}/batch", self._writing(self._update_batch), methods=["PATCH"]),
            Route(f"{records}/{{masterid}}", self._writing(writing.update), methods=["PATCH"]),
            Route("/v1/data/webhook/{webhook}", problems_answered(self._webhook), methods=ANY_METHOD),
            Route("/{path:path}", problems_answered(_no_such_route), methods=ANY_METHOD),
        ]

    def controls(self) -> Sequence[BaseRoute]:
        return [Route("/{dataset}/busy", problems_answered(self._make_busy), methods=["POST"])]

    def credential(self, request: Request) -> str | None:
        key = request.query_params.get("api-key")
        return key if key in self.api_keys else None

    def cost(self, request: Request) -> int:
        return READ_POINTS if request.method == "GET" else WRITE_POINTS

    def answer_headers(self, request_id: str) -> Mapping[str, str]:
        trace = hashlib.sha256(request_id.encode()).hexdigest()
        return {"apigw-requestid": request_id, "traceparent": f"00-{trace[:32]}-{trace[32:48]}-01"}

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        titles = {401: "Unauthorized", 429: "Too Many Requests"}
        return JSONResponse(Problem(status, titles.get(status, "Error"), message).body, status, headers)

    def truth(self, table: str) -> list[Row] | None:
        found = self._find(table)
        return None if found is None else found.truth()

    def _find(self, dataset_id: str) -> Readable | None:
        return self.datasets.get(dataset_id, self._bulk.get(dataset_id))

    def _reading(self, read: Callable[[Readable, Request], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            dataset = self._dataset(request)
            await self._call_hook(request)
            return read(dataset, request)

        return problems_answered(endpoint)

    def _list(self, dataset: Readable, request: Request) -> Response:
        query = Query.parse(request.query_params, dataset.columns)
        records = query.page_of(dataset.newest_first())
        count_rows(request, len(records))
        return _typed(export.body(records, query, dataset.columns), query)

    def _count(self, dataset: Readable, request: Request) -> Response:
        query = Query.parse(request.query_params, dataset.columns)
        return _typed(export.count(len(query.matching(dataset.newest_first())), query), query)

    def _get(self, dataset: Readable, request: Request) -> Response:
        record = dataset.get(request.path_params["masterid"]).public()
        count_rows(request, 1)
        return JSONResponse({"record": record, **({"isMerged": True} if ALL_MASTERIDS in record else {})})

    def _writing(self, write: Callable[..., dict[str, Any]]) -> Endpoint:
        """An endpoint that calls `write(dataset, [masterid,] payload, at)`."""

        async def endpoint(request: Request) -> Response:
            arrived = self.now()
            dataset = self._dataset(request)
            payload = await payload_of(request)
            await self._call_hook(request)
            if not isinstance(dataset, Dataset) or dataset.read_only:
                raise problems.read_only()
            if dataset.is_busy:
                raise problems.busy()
            masterid = request.path_params.get("masterid")
            # in a thread, so that the limits judge requests when they arrive, not when an earlier batch is done
            answer = await asyncio.to_thread(write, dataset, *([masterid] if masterid else []), payload, arrived)
            count_rows(request, len(answer.get("results", [answer])))
            return JSONResponse(answer)

        return problems_answered(endpoint)

    def _upsert_batch(self, dataset: Dataset, payload: Any, at: datetime) -> dict[str, Any]:
        return writing.upsert_batch(dataset, payload, at, all_or_none=self.all_or_none)

    def _update_batch(self, dataset: Dataset, payload: Any, at: datetime) -> dict[str, Any]:
        return writing.update_batch(dataset, payload, at, all_or_none=self.all_or_none)

    async def _webhook(self, request: Request) -> Response:
        need_headers(request)
        webhook = self.webhooks.get(request.path_params["webhook"])
        if webhook is None:
            raise problems.not_found("Webhook")
        webhook.admit(request.method, request.headers)
        payload = await payload_of(request)
        request_id = request.scope["sandbox.entry"].request_id
        self.webhook_calls.append(WebhookCall(webhook.id, request.method, payload, request_id))
        return JSONResponse({})

    def _dataset(self, request: Request) -> Readable:
        need_headers(request)
        dataset = self._find(request.path_params["dataset"])
        if dataset is None:
            raise problems.not_found("Dataset")
        return dataset

    async def _call_hook(self, request: Request) -> None:
        if self.on_request:
            query = {name: value for name, value in request.query_params.items() if name not in self.secret_params}
            path = request.scope["sandbox.entry"].endpoint
            seen = SeenRequest(next(self._numbers), request.method, request.path_params["dataset"], path, query)
            await asyncio.to_thread(self.on_request, seen)

    async def _make_busy(self, request: Request) -> Response:
        """`POST /_sandbox/octolis/<dataset>/busy?seconds=120`: answers writes with 423 for so long."""
        dataset = self.datasets.get(request.path_params["dataset"])
        if dataset is None:
            raise problems.not_found("Dataset")
        seconds = float(request.query_params.get("seconds", "5"))
        dataset.busy(seconds)
        return JSONResponse({"busy": seconds})


async def _no_such_route(request: Request) -> Response:
    raise problems.not_found(request.url.path)


def _typed(body: bytes, query: Query) -> Response:
    return Response(body, media_type="text/csv" if query.as_csv else "application/json")
