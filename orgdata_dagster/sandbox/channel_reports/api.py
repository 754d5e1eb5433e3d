"""The endpoints under `/channel_reports/api/v4`, as `vendor_apis/channel_reports.md` describes them.

Here: the parameters and their errors, the JSON around the rows, the token. The document shows neither authentication
nor the Forms API; both are as orgdata's client expects them by default.
Add here when: the document describes something that the endpoints do not do.
Keep out: counting (`measures`) and storing events (`channel`).
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.channel_reports.channel import Channel, Field, Form, Period
from orgdata_dagster.sandbox.channel_reports.measures import FIELDS, MEASURES, Json, reports_per_field_selection
from orgdata_dagster.sandbox.gate import count_rows
from orgdata_dagster.sandbox.limits import Limits, Rule, Window
from orgdata_dagster.sandbox.vendor import Vendor

# The document states no limit; a polite client keeps these.
POLITE = Limits(rules=(Rule((Window(120, 60),)),), at_once=4)
DEFAULT_TOKEN = "sandbox-token"
COUNTED_TYPES = ("Category", "DropDown", "Radio")

_BY_SELECTION = reports_per_field_selection.__name__
_EVER = Period(-(2**62), 2**62)


class ChannelReports(Vendor):
    """The vendor's state; every public attribute may be changed while it runs.

    The token is expected in `header`, after `prefix` and a space (no space if there is no prefix).
    """

    name = "channel_reports"

    def __init__(
        self,
        channels: Iterable[Channel] = (),
        *,
        api_token: str = DEFAULT_TOKEN,
        header: str = "Authorization",
        prefix: str = "Bearer",
        limits: Limits = POLITE,
    ) -> None:
        super().__init__(limits)
        self.channels = {channel.id: channel for channel in channels}
        self.api_token = api_token
        self.header = header
        self.prefix = prefix

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/api/v4/forms", self._problems_answered(self._forms)),
            Route("/api/v4/analytics/{endpoint}", self._problems_answered(self._analytics)),
        ]

    def credential(self, request: Request) -> str | None:
        given = request.headers.get(self.header, "").encode()
        wanted = f"{self.prefix} {self.api_token}".lstrip().encode()
        return self.api_token if secrets.compare_digest(given, wanted) else None

    def truth(
        self,
        table: str,
        channel_id: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        field_id: int | None = None,
    ) -> list[Json] | None:
        """An endpoint's rows as served, with all fields, of a half-open range of time.

        Default: all channels one after the other, all of time, all fields that can be counted.
        """
        if table not in MEASURES and table != _BY_SELECTION:
            return None
        period = Period(
            _EVER.start if start is None else instants.from_datetime(start),
            _EVER.end if end is None else instants.from_datetime(end),
        )
        channels = self.channels.values() if channel_id is None else [self.channels[channel_id]]
        return [row for channel in channels for row in _rows(table, channel, period, field_id)]

    def _problems_answered(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint, with errors in the vendor's format."""

        async def endpoint(request: Request) -> Response:
            try:
                return answer(request)
            except HTTPException as wrong:
                return self.refuse(wrong.status_code, wrong.detail)

        return endpoint

    def _forms(self, request: Request) -> Response:
        return JSONResponse([_form(form) for form in self._channel(request).forms])

    def _analytics(self, request: Request) -> Response:
        endpoint = request.path_params["endpoint"]
        if endpoint not in MEASURES and endpoint != _BY_SELECTION:
            raise HTTPException(404, f"no endpoint {endpoint!r}")
        channel, period = self._channel(request), _period(request)
        field_id = _field(request, channel).id if endpoint == _BY_SELECTION else None
        rows = _rows(endpoint, channel, period, field_id)
        if endpoint in FIELDS:
            rows = _chosen(rows, FIELDS[endpoint], request.query_params.get("fields", ""))
        count_rows(request, len(rows))
        # only this endpoint returns an object instead of an array
        return JSONResponse(rows[0] if endpoint == "reports_read" else rows)

    def _channel(self, request: Request) -> Channel:
        channel_id = _integer(request, "channel_id")
        if channel_id not in self.channels:
            raise HTTPException(404, f"no channel {channel_id}")
        return self.channels[channel_id]


def _rows(endpoint: str, channel: Channel, period: Period, field_id: int | None) -> list[Json]:
    if endpoint != _BY_SELECTION:
        return MEASURES[endpoint](channel, period)
    fields = [field for field in channel.fields.values() if field_id is None or field.id == field_id]
    return [row for field in fields for row in reports_per_field_selection(channel, period, field)]


def _form(form: Form) -> Json:
    fields = [{"id": field.id, "name": field.name, "field_type": field.field_type} for field in form.fields]
    return {"id": form.id, "name": form.name, "fields": fields}


def _chosen(rows: list[Json], available: Sequence[str], text: str) -> list[Json]:
    """The rows without fields that were not requested. The document does not say what an unknown field does."""
    requested = set(text.split(",")) - {""}
    if unknown := requested - set(available):
        raise HTTPException(400, f"fields: unknown {', '.join(sorted(unknown))}; one of {', '.join(available)}")
    dropped = set(available) - (requested or {available[0]})
    return [{name: value for name, value in row.items() if name not in dropped} for row in rows]


def _field(request: Request, channel: Channel) -> Field:
    field_id = _integer(request, "field_id")
    field = channel.fields.get(field_id)
    if field is None:
        raise HTTPException(422, f"channel {channel.id} has no field {field_id}")
    if field.field_type not in COUNTED_TYPES:
        what = f"field {field.id} ({field.name!r}) is of type {field.field_type}"
        raise HTTPException(422, f"{what}; supported are {', '.join(COUNTED_TYPES)}")
    return field


def _period(request: Request) -> Period:
    start, end = _instant(request, "start_date"), _instant(request, "end_date")
    if end < start:
        raise HTTPException(400, "end_date is before start_date")
    return Period(start, end)


def _integer(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise HTTPException(400, f"{name}: not an integer: {text!r}")
    return int(text)


def _instant(request: Request, name: str) -> int:
    try:
        return instants.from_text(request.query_params.get(name, ""))
    except ValueError as wrong:
        raise HTTPException(400, f"{name}: {wrong}") from None
