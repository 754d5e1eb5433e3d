"""What every request must bring, and how what is wrong with it is told.

Here: mandatory headers, the body as JSON, problems turned into answers.
Add here when: the document asks one more thing of every request.
Keep out: what an endpoint does with it (`api`).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orgdata_dagster.sandbox.octolis.problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]


def told(endpoint: Endpoint) -> Endpoint:
    """The endpoint, its problems told in the document's format."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return JSONResponse(problem.body, problem.status)

    return told


def need_headers(request: Request) -> None:
    """Raises Problem where a header of the document's section "Headers" is missing or has another value."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    wrong = [] if "accept" in request.headers else ["Accept"]
    wrong += [] if content_type == "application/json" else ["Content-Type"]
    if wrong:
        raise Problem(400, "Missing mandatory headers", f"Missing or wrong headers: {', '.join(wrong)}")


async def payload_of(request: Request) -> Any:
    """The body as JSON. Raises Problem where it is none."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(await request.body(), parse_constant=refuse)  # Python takes NaN for JSON
    except ValueError:
        raise Problem(400, "Invalid JSON", "The body is not valid JSON") from None
