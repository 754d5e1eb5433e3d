"""The endpoint `GET /together/public/{organizationId}/reports/export/{report}` (`vendor_apis/together.md`).

Here: the required headers, errors, the documented limits, the JSON around the CSV.
Add here when: the document describes something that the endpoint does not do.
Keep out: storing and formatting rows (`report`).
"""

import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.together.report import Export, Report
from orgdata_dagster.sandbox.vendor import Row, Vendor

# the document's name of a report -> its table
TABLES = {"userReport": "users", "pairingReport": "pairings", "sessionReport": "sessions"}
DEFAULT_ORGANIZATION = "sandbox-organization"
DEFAULT_CLIENT = "sandbox-client"
DEFAULT_KEY = "sandbox-key"

_BEFORE, _AFTER = b'{"report":"', b'"}'


def document_limits(seconds_between_requests: float = 60, revoke_after: int | None = None) -> Limits:
    """One request per minute, one at a time; tests use a shorter interval.

    revoke_after: number of violations after which the key is revoked (the document does not state it); None: never.
    """
    return Limits((Rule((Window(1, seconds_between_requests),)),), at_once=1, revoke_after=revoke_after)


class Exportable(Protocol):
    """Rows that can be served as a report."""

    def export(self, escape_unicode: bool) -> Export: ...
    def truth(self) -> list[Row]: ...


class Together(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    reports: users, pairings, sessions; a missing one is answered with 404.
    escape_unicode: whether characters beyond ASCII are written as `\\uXXXX`, as some servers do.

    The limits are counted per organisation.
    """

    name = "together"

    def __init__(
        self,
        reports: Mapping[str, Report] | None = None,
        *,
        organization_id: str = DEFAULT_ORGANIZATION,
        client_id: str = DEFAULT_CLIENT,
        api_key: str = DEFAULT_KEY,
        limits: Limits = document_limits(),
        escape_unicode: bool = False,
        read_only: Mapping[str, Exportable] | None = None,
    ) -> None:
        super().__init__(limits)
        self.reports = dict(reports or {})
        self.organization_id = organization_id
        self.client_id = client_id
        self.api_key = api_key
        self.escape_unicode = escape_unicode
        self._read_only = dict(read_only or {})

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/public/{organization}/reports/export/{report}", self._export)]

    def credential(self, request: Request) -> str | None:
        given = f"{request.headers.get('client-id', '')} {request.headers.get('api-key', '')}"
        right = secrets.compare_digest(given.encode(), f"{self.client_id} {self.api_key}".encode())
        return self.organization_id if right else None

    def truth(self, table: str) -> list[Row] | None:
        found = self._find(table)
        return None if found is None else found.truth()

    def _find(self, table: str) -> Exportable | None:
        return self.reports.get(table, self._read_only.get(table))

    async def _export(self, request: Request) -> Response:
        if missing := _missing(request):
            return self.refuse(400, f"missing or wrong header {', '.join(missing)}")
        organization = request.headers["organization-id"]
        if organization != request.path_params["organization"]:
            return self.refuse(400, "the header organization-id is not the organization of the path")
        if organization != self.organization_id:
            return self.refuse(401, "the credentials are not this organization's")
        report = self._find(TABLES.get(request.path_params["report"], ""))
        if report is None:
            return self.refuse(404, f"no such report; there are {', '.join(TABLES)}")
        export = report.export(self.escape_unicode)
        count_rows(request, export.rows)
        length = len(_BEFORE) + export.length + len(_AFTER)
        return _streamed(itertools.chain([_BEFORE], export.pieces, [_AFTER]), length)


def _missing(request: Request) -> list[str]:
    """The required headers that are missing or wrong; those of the credential are checked before."""
    missing = [] if request.headers.get("organization-id") else ["organization-id"]
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return missing if media_type == "application/json" else [*missing, "content-type: application/json"]


def _streamed(pieces: Iterable[bytes], length: int) -> Response:
    return StreamingResponse(pieces, media_type="application/json", headers={"content-length": str(length)})
