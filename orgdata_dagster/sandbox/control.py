"""The sandbox's own endpoints under `/_sandbox`, for tests in other processes and for use by hand.

Here: `GET log`, `GET truth/<vendor>/<table>`, `POST faults`, `DELETE` for log and faults, and the endpoints that each
vendor adds under its name.
Add here when: something that Python can reach should also be reachable over HTTP, for every vendor.
Keep out: authentication, because the sandbox has no real data and listens on loopback.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from orgdata_dagster.sandbox import faults
from orgdata_dagster.sandbox.log import SandboxLog
from orgdata_dagster.sandbox.vendor import Vendor


def routes(vendors: Mapping[str, Vendor], log: SandboxLog) -> list[BaseRoute]:
    """The control endpoints, relative to `/_sandbox`."""

    async def show_log(request: Request) -> Response:
        return JSONResponse(log.as_json(request.query_params.get("vendor")))

    async def truth(request: Request) -> Response:
        vendor = vendors.get(request.path_params["vendor"])
        rows = vendor.truth(request.path_params["table"]) if vendor else None
        if rows is None:
            return _wrong("no such vendor or table", 404)
        return JSONResponse(rows)

    async def add_fault(request: Request) -> Response:
        options = await request.json()
        vendor = vendors.get(options.pop("vendor", ""))
        if vendor is None:
            return _wrong(f"'vendor' must be one of {', '.join(vendors)}")
        times, after = options.pop("times", 1), options.pop("after", 0)
        try:
            vendor.faults.add(faults.from_json(options), times, after)
        except ValueError as wrong:
            return _wrong(str(wrong))
        return JSONResponse({"queued": len(vendor.faults)})

    async def forget_log(request: Request) -> Response:  # noqa: ARG001
        log.clear()
        return JSONResponse({})

    async def forget_faults(request: Request) -> Response:  # noqa: ARG001
        for vendor in vendors.values():
            vendor.faults.clear()
        return JSONResponse({})

    return [
        Route("/log", show_log),
        Route("/log", forget_log, methods=["DELETE"]),
        Route("/truth/{vendor}/{table}", truth),
        Route("/faults", add_fault, methods=["POST"]),
        Route("/faults", forget_faults, methods=["DELETE"]),
        *(Mount(f"/{name}", routes=list(vendor.controls())) for name, vendor in vendors.items()),
    ]


def _wrong(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": message}, status)
