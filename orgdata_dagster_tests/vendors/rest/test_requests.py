"""Requests, the meaning of answers, and the messages about invalid files."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from orgdata_dagster.http.limit_headers import LimitHeaders, reset_announced, wait_announced
from orgdata_dagster.http.rate_limit_interface import Unbounded
from orgdata_dagster.http.rest.answers import PageAnswer
from orgdata_dagster.http.rest.bounds import Bounds
from orgdata_dagster.http.rest.links import link_of
from orgdata_dagster.http.rest.paths import MISSING, find, put
from orgdata_dagster.sandbox.faults import ErrorBody, Status
from orgdata_dagster.sandbox.tracker import CLIENT, SECRET, TOKEN
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster_tests.loading import Refused
from orgdata_dagster_tests.vendors.rest.rig import Rig, failure
from orgdata_dagster_tests.vendors.rest.shapes import ISSUES, ORDERS

NOON = datetime.fromisoformat("2026-03-01T12:00:00.500Z")
MIDNIGHT = datetime.fromisoformat("2026-03-01T00:00:00Z")


@pytest.mark.parametrize(
    ("form", "start", "end"),
    [
        ("iso8601", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z"),
        ("date", "2026-03-01", "2026-03-02"),
        ("epoch", 1772366400, 1772366401),
        ("epoch_ms", 1772366400500, 1772366400500),
    ],
)
def test_a_bound_in_any_format_never_leaves_out_what_was_meant(form: Any, start: str | int, end: str | int) -> None:
    assert Bounds(form).start(NOON) == start
    assert Bounds(form).end(NOON) == end


def test_an_exclusive_or_inclusive_bound_is_requested_one_unit_wider() -> None:
    assert Bounds("date", includes_from=False).start(MIDNIGHT) == "2026-02-28"
    assert Bounds("iso8601", includes_from=False).start(MIDNIGHT) == "2026-02-28T23:59:59Z"
    assert Bounds("date", includes_until=True).end(MIDNIGHT) == "2026-02-28"
    assert Bounds("iso8601", includes_until=True).end(MIDNIGHT) == "2026-03-01T00:00:00Z"


def test_paths_lead_into_documents() -> None:
    assert find({"a": [{"b": None}]}, "a.0.b") is None
    assert find({"a": [{"b": None}]}, "a.1.b") is MISSING
    assert put({"a": [{"b": 1}], "c": 2}, "a.0.b", 3) == {"a": [{"b": 3}], "c": 2}
    assert put(None, "x.y", 1) == {"x": {"y": 1}}


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a/?p=2>; rel="next", <https://a/?p=9>; rel="last"', "https://a/?p=2"),
        ('<https://a/?x=1,2>; title="a, b"; REL=Next', "https://a/?x=1,2"),
        ('</p?2>; rel="prev next"', "/p?2"),
        ('<https://a/>; rel="nextish"', None),
        ("", None),
    ],
)
def test_the_link_header(header: str, link: str | None) -> None:
    assert link_of(header, "next") == link


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000030"}, 30),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "7"}, 7),
        ({"ratelimit": '"default";r=0;t=12'}, 12),
        ({"ratelimit": "limit=10, remaining=1, reset=5"}, 5),
        ({"x-ratelimit-remaining": "50", "x-ratelimit-reset": "30"}, None),
        ({"x-ratelimit-remaining": "none"}, None),
        ({"ratelimit": "limit=10, remaining=0.1.2, reset=1..5"}, None),
        ({"ratelimit": f"limit=10, remaining=0, reset={'9' * 400}"}, None),
    ],
)
def test_headers_with_the_rate_limit(headers: dict[str, str], wait: float | None) -> None:
    assert wait_announced(headers, 1_800_000_000, least=2) == wait
    assert reset_announced({"x-ratelimit-reset": "30"}, 0) == 30


def test_points_beyond_the_usual_are_charged_and_a_spent_limit_pauses_everybody() -> None:
    done = list[tuple[str, float]]()

    class Book(Unbounded):
        def charge(self, cost: float) -> None:
            done.append(("charge", cost))

        def pause(self, seconds: float, requested: float | None = None) -> bool:  # noqa: ARG002
            done.append(("pause", seconds))
            return True

    heard = LimitHeaders(1, "x-cost")
    heard.heed({"x-cost": "7", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"}, Book(), 2, 0)
    assert done == [("charge", 5.0), ("pause", 3.0)]


def test_the_client_waits_for_a_limit_that_the_vendor_announces(rig: Rig) -> None:
    rig.vendor.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.4"}
    assert rig.pull(ORDERS, "orders").success
    arrived = [entry.arrived for entry in rig.sandbox.log.entries()]
    assert min(later - earlier for earlier, later in itertools.pairwise(arrived)) >= 0.35


def oauth(rig: Rig) -> dict[str, Any]:
    url = f"{rig.sandbox.url}/tracker/oauth/token"
    names = {"client_id": "TRACKER_CLIENT", "client_secret": "TRACKER_SECRET"}
    return {"auth": {"type": "oauth2_client_credentials", "access_token_url": url, **names}}


def test_an_oauth_token_is_renewed_before_it_expires_and_once_after_a_401_and_is_nowhere(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRACKER_CLIENT", CLIENT)
    monkeypatch.setenv("TRACKER_SECRET", SECRET)
    caplog.set_level("DEBUG")
    asked = list[int]()

    def revoke(_: Any) -> None:
        asked.append(1)
        if len(asked) == 2:
            rig.vendor.tokens.clear()  # the next request gets a 401

    rig.vendor.on_request = revoke
    assert rig.pull(ORDERS, "orders", **oauth(rig)).success
    assert rig.table("orders") == rig.truth("orders")
    statuses = [(entry.endpoint.rsplit("/", 1)[-1], entry.status) for entry in rig.sandbox.log.entries()]
    assert statuses.count(("token", 200)) == 2
    assert statuses.count(("orders", 401)) == 1
    secrets = [*rig.vendor.tokens, SECRET]
    assert not [record for record in caplog.messages if any(secret in record for secret in secrets)]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or not any(secret.encode() in path.read_bytes() for secret in secrets), path
    rig.vendor.on_request = None
    rig.vendor.token_life = 0.0
    rig.sandbox.log.clear()
    assert rig.pull(ORDERS, "orders", **oauth(rig)).success is False  # a token that is dead at once helps nobody


@pytest.mark.parametrize("auth", [
    {"type": "api_key", "api_key": "TRACKER_TOKEN", "name": "api_key", "location": "query"},
    {"type": "api_key", "api_key": "TRACKER_TOKEN", "name": "Authorization", "prefix": "Bearer "},
])  # fmt: skip
def test_an_api_key_goes_where_the_vendor_wants_it(rig: Rig, auth: dict[str, str]) -> None:
    assert rig.pull(ORDERS, "orders", auth=auth).success
    assert TOKEN not in json.dumps([str(entry.query) for entry in rig.sandbox.log.entries()])


ERRORS = {"code": "error.code", "message": "error.message", "retryable": ["busy"], "no_data": ["empty"]}


@pytest.mark.parametrize("code", ["busy", "empty", "broken"])
def test_an_error_inside_a_200_is_not_data(rig: Rig, code: str) -> None:
    rig.vendor.faults.add(ErrorBody({"error": {"code": code, "message": "no"}}), after=1)
    rig.pull(ORDERS, "orders", errors=ERRORS)
    assert rig.table("orders") == rig.truth("orders") or any(rig.coverage("orders"))


def test_no_rows_beside_an_error_are_not_believed(rig: Rig) -> None:
    """A first pull has no stored rows that could contradict it."""
    bodies: list[dict[str, Any]] = [
        {"errors": [{"message": "quota"}]},
        {"error": "rate limited"},
        {"ok": False},
        {"status": "error", "message": "quota"},
        {"Fault": {"code": 1, "detail": None}},
    ]
    for body in bodies:
        rig.vendor.faults.add(ErrorBody({"items": [], "total": 0, **body}), times=99)
        rig.sandbox.log.clear()
        assert "there are no rows, but an error" in failure(rig.pull(ORDERS, "orders")), body
        assert len(rig.sandbox.log.entries()) > 1, "it is requested again"
        rig.vendor.faults.clear()
    rig.vendor.faults.add(ErrorBody({"items": [], "total": 0, **bodies[0]}))
    assert rig.pull(ORDERS, "orders").success
    assert rig.table("orders") == rig.truth("orders")


def test_no_rows_beside_no_error_are_no_rows(rig: Rig) -> None:
    for extra in ({"error": None}, {"errors": []}, {"error": {"code": 0, "message": ""}}, {"ok": True}):
        rig.vendor.faults.add(ErrorBody({"items": [], "total": 0, **extra}), times=99)
        assert rig.pull(ORDERS, "orders").success, extra
        rig.vendor.faults.clear()


@pytest.mark.parametrize("value", ["..", ".", "a/b", "a?b", "%41"])
def test_a_parents_value_never_leads_to_another_path(value: str) -> None:
    """Of `..` the client once made another endpoint."""
    filled = Listing("/projects/{project}/issues").filled({"project": value})
    path = httpx.URL(f"http://host{filled.path}").raw_path.decode()
    [segment] = re.findall("^/projects/([^/?]+)/issues$", path)
    assert unquote(segment) == value


def test_a_code_decides_against_the_status(rig: Rig) -> None:
    rig.vendor.faults.add(Status(403, body='{"error": {"code": "busy", "message": "slow down"}}'))
    assert rig.pull(ORDERS, "orders", errors=ERRORS).success
    rig.vendor.faults.add(Status(403, body='{"error": {"code": "never", "message": "no"}}'))
    assert "never" in failure(rig.pull(ORDERS, "orders", errors=ERRORS))


def test_a_parent_that_is_not_there_yet_is_named(rig: Rig) -> None:
    assert "orgdata pull tracker/projects" in failure(rig.pull(ISSUES, "issues"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"paginator": {"type": "cursor", "cursr": "x", "parameter": "a"}},
            "tables[0].paginator.cursr: unknown field; did you mean cursor? ",
        ),
        ({"paginator": {"type": "cursor", "cursor": "x", "parameter": 1}}, "tables[0].paginator.parameter: "),
        ({"paginator": {"type": "cursor", "cursor": ["x"], "parameter": "a"}}, "tables[0].paginator.cursor: "),
        ({"incremental": {"colum": "at"}}, "tables[0].incremental.colum: unknown field; did you mean column? "),
        ({"pth": "/x"}, "tables[0].pth: unknown field; did you mean path? "),
        ({"zzz": 1}, "unknown field; allowed: name, key, "),
        ({"paginator": {"type": "offset", "stop": "total"}}, "stop: total needs total"),
        ({"paginator": {"type": "pages"}}, "single_page"),
        ({"path": "/x/{project}"}, "nothing replaces {project}"),
        ({"body": {"a": 1}}, "method: POST"),
        ({"partitions": "day"}, "a day needs both bounds"),
        ({"incremental": {"column": "at", "from": "since"}}, "write its columns"),
        ({"each": {"project": "projects.id"}, "path": "/{project}"}, "not a table of this file"),
    ],
)
def test_invalid_options_are_reported_with_their_field(rig: Rig, change: dict[str, Any], told: str) -> None:
    table = {"name": "things", "path": "/things", "paginator": {"type": "single_page"}, **change}
    with pytest.raises(Refused) as refused:
        rig.definitions("    - {name: x, path: /x, paginator: {type: single_page}}", tables=[table])
    assert told in str(refused.value)
    assert "defs.yaml:" in str(refused.value)


def test_a_value_where_the_name_of_a_variable_belongs_is_refused_and_not_shown(rig: Rig) -> None:
    with pytest.raises(Refused) as refused:
        rig.definitions(ORDERS, auth={"type": "bearer", "token": "sk-live-4711"})
    assert "NAME" in str(refused.value)
    assert "4711" not in str(refused.value)


def test_large_pages_are_paged_without_their_rows_in_memory(rig: Rig) -> None:
    """50 rows of 100 KB are a large page."""
    for row in rig.vendor.lists["orders"].all():
        rig.vendor.lists["orders"].touch(row["id"], title=str(row["id"]) * 50_000)
    assert rig.pull(ORDERS, "orders").success
    assert rig.table("orders") == rig.truth("orders")
    assert set(rig.coverage("orders")) == {None}


@pytest.mark.parametrize("records", ["", "data.items", "0.items"])
def test_an_answer_without_its_rows_pages_like_the_whole_one(records: str) -> None:
    found = [{"id": number, "total": 9, "text": "x" * number} for number in range(5)]
    whole = PageAnswer(put({} if records[:1] != "0" else [None], records, found) if records else found, {}, found)
    short = whole.without_rows(records)
    prefix = f"{records}." if records else ""
    for path in (f"{prefix}0.total", f"{prefix}4.id"):
        assert short.find(path) == whole.find(path)
    assert (len(short.rows), short.rows[-1], short.content) == (5, found[-1], whole.content)
    assert "xxx" not in str(short.rows[1:-1])
