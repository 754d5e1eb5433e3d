"""The conditions of every request, and answers to requests that do not meet them.

Here: mandatory headers, the body as JSON, problems turned into answers.
Add here when: the document has another condition for every request.
Keep out: the endpoints (`api`).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orgdata_dagster.sandbox.octolis.problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]


def problems_answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose problems become answers in the document's format."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return JSONResponse(problem.body, problem.status)

    return answered


def need_headers(request: Request) -> None:
    """Raise Problem if a header of the document's section "Headers" is missing or wrong."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    wrong = [] if "accept" in request.headers else ["Accept"]
    wrong += [] if content_type == "application/json" else ["Content-Type"]
    if wrong:
        raise Problem(400, "Missing mandatory headers", f"Missing or wrong headers: {', '.join(wrong)}")


async def payload_of(request: Request) -> Any:
    """The body as JSON. Raises Problem if it is not JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(await request.body(), parse_constant=refuse)  # Python accepts NaN as JSON
    except ValueError:
        raise Problem(400, "Invalid JSON", "The body is not valid JSON") from None
