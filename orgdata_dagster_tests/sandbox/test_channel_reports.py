"""The endpoints against vendor_apis/channel_reports.md."""

from collections.abc import Iterator

import httpx
import pytest

from orgdata_dagster.sandbox.channel_reports import Channel, ChannelReports, Choice, Field, Form, User
from orgdata_dagster.sandbox.channel_reports.api import POLITE
from orgdata_dagster.sandbox.faults import CutCsv, Html, Reset, ShortBody, Status
from orgdata_dagster.sandbox.instants import from_text, to_datetime
from orgdata_dagster.sandbox.limits import UNLIMITED, Limiter
from orgdata_dagster.sandbox.server import Sandbox

CHOICES = (Choice("Resolved", "f_1_2_2_2_1"), Choice("Open", "f_1_2_2_2_2"))
FORM = Form(
    7,
    "Incident",
    (Field(2, "Outcome", "Category", CHOICES), Field(5, "What happened", "Text"), Field(6, "Who", "Checkbox", CHOICES)),
)
DAY = {"start_date": "2026-03-09T00:00:00Z", "end_date": "2026-03-10T00:00:00Z"}
ENDPOINTS = (
    "reports_images", "reports_over_time", "reports_per_field_selection", "reports_per_state", "reports_per_user",
    "reports_per_day_hour", "reports_per_week_day", "reports_read", "user_awareness",
)  # fmt: skip


def vendor() -> ChannelReports:
    users = {3: User("John", "Doe"), 4: User("Zoë", "Müller")}
    busy, empty = (Channel(number, 1, [FORM], {1: "New", 2: "Done"}, users) for number in (1, 2))
    fill(busy)
    return ChannelReports([busy, empty], api_token="secret", limits=UNLIMITED)


def fill(channel: Channel) -> None:
    """Two reports on Monday 9 March, one a microsecond before it, one when it ends."""
    for text, user, state, selected, images in (
        ("2026-03-08T23:59:59.999999Z", 3, 1, {2: "f_1_2_2_2_1"}, 1),
        ("2026-03-09T00:00:00Z", 3, 2, {2: "f_1_2_2_2_2"}, 2),
        ("2026-03-09T13:00:00.5Z", 4, 2, {}, 0),
        ("2026-03-10T00:00:00Z", 4, 1, {2: "f_1_2_2_2_2"}, 1),
    ):
        at = to_datetime(from_text(text))
        channel.add_report(at, user_id=user, state_id=state, selections=selected, images=images)
    noon = to_datetime(from_text("2026-03-09T12:00:00Z"))
    for report, user in ((1, 3), (1, 3), (2, 3), (1, 4), (3, 4)):
        channel.add_read(report, user, noon)
    for report, user, subject, opened in ((1, 3, "new", True), (1, 3, "new", False), (1, 3, "due", False),
                                          (2, 3, "new", True), (2, 4, "new", False)):  # fmt: skip
        channel.add_alert(report, user, noon, subject=subject, opened=opened)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(vendor()) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    sandbox.channel_reports.faults.clear()
    sandbox.channel_reports.channels = vendor().channels
    with httpx.Client(base_url=f"{sandbox.url}/channel_reports/api/v4", verify=False) as client:
        client.headers["authorization"] = "Bearer secret"
        yield client


def ask(client: httpx.Client, endpoint: str, **params: object) -> httpx.Response:
    given = {"channel_id": 1, **DAY, **params}
    return client.get(f"/analytics/{endpoint}", params={k: str(v) for k, v in given.items() if v is not None})


def rows(client: httpx.Client, endpoint: str, **params: object) -> object:
    return ask(client, endpoint, **params).raise_for_status().json()


def test_images(client: httpx.Client) -> None:
    first, second = rows(client, "reports_images")  # type: ignore[misc]
    assert first == {
        "report_image_id": 201, "account_id": 1, "report_id": 2, "created_at": "2026-03-09T00:00:00.000Z",
        "styles": {
            "thumb": "https://images.example/thumb/1-201.png",
            "medium": "https://images.example/medium/1-201.png",
        },
    }  # fmt: skip
    assert second["report_image_id"] == 202


def test_reports_over_time_by_day_and_in_long_periods_by_week(client: httpx.Client) -> None:
    def row(start: str, count: int, width: str) -> dict[str, object]:
        start = f"2026-03-{start}T00:00:00.000Z"
        return {"account_id": 1, "datetime_range_start": start, "report_count": count, "datetime_range_width": width}

    assert rows(client, "reports_over_time") == [row("09", 2, "day")]
    month = {"start_date": "2026-03-01T00:00:00Z", "end_date": "2026-04-01T00:00:00Z"}
    assert rows(client, "reports_over_time", **month) == [row("08", 1, "day"), row("09", 2, "day"), row("10", 1, "day")]
    longer = {**month, "end_date": "2026-04-01T00:00:01Z"}
    assert rows(client, "reports_over_time", **longer) == [row("02", 1, "week"), row("09", 3, "week")]


def test_counts_of_reports(client: httpx.Client) -> None:
    assert rows(client, "reports_per_state") == [{"id": 2, "name": "Done", "account_id": 1, "report_count": 2}]
    assert rows(client, "reports_per_user") == [
        {"user_id": 3, "account_id": 1, "report_count": 1},
        {"user_id": 4, "account_id": 1, "report_count": 1},
    ]
    assert rows(client, "reports_per_day_hour") == [
        {"account_id": 1, "hour": 0, "report_count": 1},
        {"account_id": 1, "hour": 13, "report_count": 1},
    ]
    assert rows(client, "reports_per_week_day", end_date="2026-03-10T00:00:01Z", start_date="2026-03-08T00:00:00Z") == [
        {"account_id": 1, "dow": 0, "report_count": 1},
        {"account_id": 1, "dow": 1, "report_count": 2},
        {"account_id": 1, "dow": 2, "report_count": 1},
    ]


def test_field_selection(client: httpx.Client) -> None:
    open_ = {"field_id": 2, "account_id": 1, "name": "Open", "value": "f_1_2_2_2_2", "report_count": 1}
    assert rows(client, "reports_per_field_selection", field_id=2) == [open_]


@pytest.mark.parametrize(
    ("field_id", "status", "message"),
    [
        (None, 400, "field_id: not an integer: ''"),
        ("two", 400, "field_id: not an integer"),
        (99, 422, "channel 1 has no field 99"),
        (5, 422, "field 5 ('What happened') is of type Text; supported are Category, DropDown, Radio"),
        (6, 422, "field 6 ('Who') is of type Checkbox"),
    ],
)
def test_fields_that_are_refused(client: httpx.Client, field_id: object, status: int, message: str) -> None:
    answer = ask(client, "reports_per_field_selection", field_id=field_id)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_reports_read_is_an_object_with_the_requested_fields(client: httpx.Client) -> None:
    every = {"total_reads": 5, "reports_seen": 3, "report_readers": 2, "unique_reads": 4}
    assert rows(client, "reports_read", fields=",".join(every)) == every
    assert rows(client, "reports_read", fields="unique_reads") == {"unique_reads": 4}
    assert rows(client, "reports_read") == rows(client, "reports_read", fields="") == {"total_reads": 5}
    assert ask(client, "reports_read", fields="readers").status_code == 400


def test_user_awareness(client: httpx.Client) -> None:
    every = "total_alerts,alert_source_reports,unique_alerts,alerts_opened"
    assert rows(client, "user_awareness", fields=every) == [
        {"total_alerts": 4, "alert_source_reports": 2, "unique_alerts": 3, "alerts_opened": 2,
         "user_id": 3, "first_name": "John", "last_name": "Doe"},
        {"total_alerts": 1, "alert_source_reports": 1, "unique_alerts": 1, "alerts_opened": 0,
         "user_id": 4, "first_name": "Zoë", "last_name": "Müller"},
    ]  # fmt: skip
    john = {"user_id": 3, "first_name": "John", "last_name": "Doe"}
    assert rows(client, "user_awareness")[0] == {"total_alerts": 4, **john}  # type: ignore[index]
    assert rows(client, "user_awareness", fields="alerts_opened")[0] == {"alerts_opened": 2, **john}  # type: ignore[index]


def test_late_events_change_past_days(sandbox: Sandbox, client: httpx.Client) -> None:
    channel = sandbox.channel_reports.channels[1]
    before = {endpoint: rows(client, endpoint, field_id=2) for endpoint in ENDPOINTS}
    at = to_datetime(from_text("2026-03-09T06:00:00Z"))
    report = channel.add_report(at, user_id=3, state_id=1, selections={2: "f_1_2_2_2_1"}, images=1)
    channel.add_read(report, 4, at)
    channel.open_alert(channel.add_alert(report, 4, at))
    channel.set_state(2, 1)
    after = {endpoint: rows(client, endpoint, field_id=2) for endpoint in ENDPOINTS}
    assert [endpoint for endpoint in ENDPOINTS if before[endpoint] == after[endpoint]] == []
    assert rows(client, "reports_per_state") == [
        {"id": 1, "name": "New", "account_id": 1, "report_count": 2},
        {"id": 2, "name": "Done", "account_id": 1, "report_count": 1},
    ]
    assert rows(client, "user_awareness", fields="alerts_opened")[1]["alerts_opened"] == 1  # type: ignore[index]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_truth_is_what_is_served(sandbox: Sandbox, client: httpx.Client, endpoint: str) -> None:
    start, end = (to_datetime(from_text(DAY[name])) for name in ("start_date", "end_date"))
    every = ",".join(("total_reads", "unique_reads", "report_readers", "reports_seen"))
    params = {"fields": every} if endpoint == "reports_read" else {}
    if endpoint == "user_awareness":
        params = {"fields": "total_alerts,alert_source_reports,unique_alerts,alerts_opened"}
    served = rows(client, endpoint, field_id=2, **params)
    truth = sandbox.channel_reports.truth(endpoint, 1, start, end, field_id=2)
    assert truth == ([served] if endpoint == "reports_read" else served)
    assert truth
    empty = rows(client, endpoint, channel_id=2, field_id=2)
    assert empty == ({"total_reads": 0} if endpoint == "reports_read" else [])


def test_the_truth_of_everything_is_that_of_all_channels(sandbox: Sandbox, client: httpx.Client) -> None:
    truth = httpx.get(f"{sandbox.url}/_sandbox/truth/channel_reports/reports_per_user", verify=False).json()
    assert truth == [{"user_id": u, "account_id": 1, "report_count": 2} for u in (3, 4)]
    assert client.get("/analytics/nothing").status_code == 404
    assert sandbox.channel_reports.truth("nothing") is None


def test_forms(client: httpx.Client) -> None:
    fields = [
        {"id": 2, "name": "Outcome", "field_type": "Category"},
        {"id": 5, "name": "What happened", "field_type": "Text"},
        {"id": 6, "name": "Who", "field_type": "Checkbox"},
    ]
    answer = client.get("/forms", params={"channel_id": 1})
    assert answer.json() == [{"id": 7, "name": "Incident", "fields": fields}]
    assert client.get("/forms").status_code == 400
    assert client.get("/forms", params={"channel_id": 9}).status_code == 404


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"channel_id": 9}, 404, "no channel 9"),
        ({"channel_id": None}, 400, "channel_id: not an integer: ''"),
        ({"channel_id": "one"}, 400, "channel_id"),
        ({"start_date": None}, 400, "start_date: not an ISO 8601"),
        ({"end_date": "2026-03-10"}, 400, "end_date: not an ISO 8601"),
        ({"end_date": "2026-03-01T00:00:00Z"}, 400, "end_date is before start_date"),
    ],
)
def test_three_parameters_are_required(
    client: httpx.Client, endpoint: str, params: dict[str, object], status: int, message: str
) -> None:
    answer = ask(client, endpoint, **{"field_id": 2, **params})
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_the_token_its_header_and_its_prefix(sandbox: Sandbox, client: httpx.Client) -> None:
    def status(**headers: str) -> int:
        client.headers = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
        return ask(client, "reports_read").status_code

    given = {"Bearer secret": 200, "bearer": 401, "secret": 401, "Bearer wrong": 401, "Bearer": 401, "": 401}
    assert {text: status(authorization=text) for text in given} == given
    api = sandbox.channel_reports
    api.header, api.prefix = "X-Api-Token", ""
    try:
        assert [status(x_api_token="secret"), status(x_api_token="Bearer secret"), status(authorization="secret")] == [
            200,
            401,
            401,
        ]
    finally:
        api.header, api.prefix = "Authorization", "Bearer"


def test_the_polite_default_is_120_a_minute_and_4_at_once() -> None:
    limiter = Limiter(ChannelReports().limiter.limits, lambda: 0.0)
    assert ChannelReports().limiter.limits is POLITE
    assert [limiter.enter("key") is None for _ in range(5)] == [True] * 4 + [False]
    for _ in range(4):
        limiter.leave("key")
    admitted = 4
    while limiter.enter("key") is None:
        limiter.leave("key")
        admitted += 1
    assert admitted == 120


def test_faults(sandbox: Sandbox, client: httpx.Client) -> None:
    for fault in (Html(), Status(422, body="field 2 is not supported"), CutCsv(), ShortBody(), Reset()):
        sandbox.channel_reports.faults.add(fault)
    assert ask(client, "reports_per_user").text.startswith("<!DOCTYPE html>")
    refused = ask(client, "reports_per_user")
    assert (refused.status_code, refused.text) == (422, "field 2 is not supported")
    with pytest.raises(ValueError):
        ask(client, "reports_per_user").json()
    for error in (httpx.RemoteProtocolError, httpx.ReadError):
        with pytest.raises(error):
            ask(client, "reports_per_user")
    assert len(rows(client, "reports_per_user")) == 2  # type: ignore[arg-type]
