"""The base class of every simulated vendor.

Here: `Vendor`: a vendor's name, routes, credential, costs and true rows.
Add here when: the sandbox needs another property of every vendor.
Keep out: what only one vendor has (its package).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from orgdata_dagster.sandbox.faults import FaultQueue
from orgdata_dagster.sandbox.limits import UNLIMITED, Limiter, Limits

Row = dict[str, str | None]
"""A row as text; None is a missing value, "" an empty one."""


class Vendor(ABC):
    """Served under `/<name>`, behind a check of its credential, its limits and its queued faults.

    clock_ahead: seconds by which the vendor's `Date` header is ahead of the true time (negative: behind).
    """

    name: ClassVar[str]
    secret_params: ClassVar[frozenset[str]] = frozenset()  # query parameters whose values the log must hide

    def __init__(self, limits: Limits = UNLIMITED) -> None:
        self.limiter = Limiter(limits)
        self.faults = FaultQueue()
        self.clock_ahead = 0.0

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's API, relative to `/<name>`."""

    @abstractmethod
    def credential(self, request: Request) -> str | None:
        """The key by which limits are counted; None if the request's credential is missing or wrong (401)."""

    def cost(self, request: Request) -> int:  # noqa: ARG002
        """The cost of a request in points; 1 unless the vendor's document says otherwise."""
        return 1

    @abstractmethod
    def truth(self, table: str) -> list[Row] | None:
        """The rows that the vendor has now; None if it has no such table."""

    def controls(self) -> Sequence[BaseRoute]:
        """Additional control endpoints, relative to `/_sandbox/<name>`."""
        return ()

    def answer_headers(self, request_id: str) -> Mapping[str, str]:  # noqa: ARG002
        """Headers of every answer, including refusals and faults."""
        return {}

    def refuse_credential(self, request: Request, reason: str) -> Response:  # noqa: ARG002
        """The answer to a request without a good credential."""
        return self.refuse(401, reason)

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error in the vendor's own format; this base is for vendors whose document shows none."""
        return JSONResponse({"error": {"code": status, "message": message}}, status, headers)
