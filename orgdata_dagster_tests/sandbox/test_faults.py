import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from orgdata_dagster.sandbox import faults, spoiling
from orgdata_dagster.sandbox.faults import CutCsv, Fault, Html, Redirect, Reset, ShortBody, Slow, Status
from orgdata_dagster.sandbox.institution_analytics import DataSet, InstitutionAnalytics
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.sandbox.reading import ask, connect, page, parse
from orgdata_dagster_tests.waiting import wait_until

ROWS = [{"id": str(n), "note": f'note "{n}", quoted', "updated_date": f"2026-03-01T00:00:{n:02d}Z"} for n in range(50)]
SINCE = {"updated_after": "2026-01-01T00:00:00Z", "updated_before": "2026-04-01T00:00:00Z"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(InstitutionAnalytics([DataSet("users", ROWS[0], ROWS)], limits=UNLIMITED)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    sandbox.log.clear()
    sandbox.institution_analytics.faults.clear()
    with connect(sandbox) as client:
        yield client
        # Whatever the fault was, the next request is served.
        sandbox.institution_analytics.faults.clear()
        assert len(page(client, "users", **SINCE)) == len(ROWS)


def play(sandbox: Sandbox, *queue: Fault, times: int = 1, after: int = 0) -> None:
    for fault in queue:
        sandbox.institution_analytics.faults.add(fault, times, after)


def test_status_with_and_without_retry_after(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, Status(503, retry_after=7), Status(429, retry_after="Wed, 01 Jan 2031 00:00:00 GMT"), Status(500))
    answers = [ask(client, "users") for _ in range(4)]
    assert [a.status_code for a in answers] == [503, 429, 500, 200]
    assert [a.headers.get("retry-after") for a in answers[:3]] == ["7", "Wed, 01 Jan 2031 00:00:00 GMT", None]
    assert [e.fault for e in sandbox.log.entries()] == ["status", "status", "status", None]


def test_faults_can_be_for_later_and_for_several_requests(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, Status(500), times=2, after=1)
    assert len(sandbox.institution_analytics.faults) == 2
    assert [ask(client, "users").status_code for _ in range(4)] == [200, 500, 500, 200]


def test_html_with_200(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, Html())
    answer = ask(client, "users", **SINCE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_short_body_breaks_its_content_length(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, ShortBody(0.5), ShortBody(1.0))
    for part in (0.5, 1.0):
        with client.stream("GET", "/institution_analytics/analytics", params={"data_set": "users", **SINCE}) as answer:
            promised = int(answer.headers["content-length"])
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        assert answer.num_bytes_downloaded == min(int(promised * part), promised - 1)


def test_a_csv_cut_inside_quotes_has_a_correct_length(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, CutCsv())
    answer = ask(client, "users", **SINCE)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.content.count(b'"') % 2 == 1
    with pytest.raises(ValueError, match="no CSV"):
        parse(answer.text)


@pytest.mark.parametrize("body", [b'a,b\n1,"x, y"\n2,z\n', b"a,b\n1,2\n", b'a\n"x ""y"" z"\n', b"a\n1\n"])
def test_every_csv_can_be_cut_inside_quotes(body: bytes) -> None:
    assert spoiling.cut_in_quotes(body).count(b'"') % 2 == 1


@pytest.mark.parametrize("part", [None, 0.5])
def test_a_reset_is_a_reset(sandbox: Sandbox, client: httpx.Client, part: float | None) -> None:
    play(sandbox, Reset(part))
    with pytest.raises(httpx.ReadError, match="reset"):
        ask(client, "users", **SINCE)


@pytest.mark.parametrize("part", [None, 0.5])
def test_slow_gives_the_true_answer_late(sandbox: Sandbox, client: httpx.Client, part: float | None) -> None:
    play(sandbox, Slow(0.3, part))
    started = time.monotonic()
    assert len(page(client, "users", **SINCE)) == len(ROWS)
    assert time.monotonic() - started >= 0.3


def test_a_slow_answer_ends_with_its_client(sandbox: Sandbox, client: httpx.Client) -> None:
    """Otherwise a client that gave up would be refused for too many concurrent requests."""
    play(sandbox, Slow(30))
    with pytest.raises(httpx.ReadTimeout):
        client.get("/institution_analytics/analytics", params={"data_set": "users"}, timeout=0.1)
    wait_until(lambda: sandbox.log.entries()[0].finished is not None, "the end of the answer", seconds=20)


def test_redirect(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, Redirect("http://other.example/x", 307))
    answer = ask(client, "users")
    assert (answer.status_code, answer.headers["location"]) == (307, "http://other.example/x")


def test_faults_over_http(client: httpx.Client) -> None:
    def post(**fault: object) -> httpx.Response:
        return client.post("/_sandbox/faults", json=fault)

    queued = post(vendor="institution_analytics", kind="status", status=502, retry_after=3, times=2, after=1)
    assert queued.json() == {"queued": 2}
    assert [ask(client, "users").status_code for _ in range(4)] == [200, 502, 502, 200]
    assert "institution_analytics" in post(vendor="nobody", kind="html").json()["error"]
    for wrong in ({"kind": "explode"}, {"kind": "status"}, {"kind": "html", "colour": "red"}):
        assert post(vendor="institution_analytics", **wrong).status_code == 400


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="short_body, cut_csv"):
        faults.from_json({"kind": "explode"})


def test_an_empty_200_has_no_bytes_or_no_rows(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, faults.Empty(), faults.Empty("rows"))
    assert [ask(client, "users", **SINCE).text for _ in range(2)] == ["", "id,note,updated_date\n"]


@pytest.mark.parametrize(
    ("body", "rows", "totals"),
    [
        (b'[{"a": 1}]', b"[]", b"[]"),
        (b'{"records": [{"a": 1}]}', b'{"records": []}', b'{"records": []}'),
        (
            b'{"data": [1], "meta": {"pagination": {"total_items": 9, "next": "x"}}}',
            b'{"data": [], "meta": {"pagination": {"total_items": 9, "next": "x"}}}',
            b'{"data": [], "meta": {"pagination": {"total_items": 0, "next": null}}}',
        ),
        (b'{"report": "a,b\\n1,2\\n"}', b'{"report": "a,b\\n"}', b'{"report": "a,b\\n"}'),
    ],
)
def test_every_shape_can_be_emptied(body: bytes, rows: bytes, totals: bytes) -> None:
    assert (spoiling.emptied(body, False), spoiling.emptied(body, True)) == (rows, totals)


def test_an_error_with_200(sandbox: Sandbox, client: httpx.Client) -> None:
    play(sandbox, faults.ErrorBody(), faults.ErrorBody("quota"), faults.ErrorBody([{"error": "x"}]))
    answers = [ask(client, "users") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.text for answer in answers] == [
        '{"error": {"code": 17, "message": "quota"}}', "quota", '[{"error": "x"}]'
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "spoiled"),
    [
        (b'[{"id": 1, "bio": "cut"}]', b'[{"id": 1, "bio": "cut\\ud83d"}]'),
        (b"id,bio\n1,cut\n2,x\n", b"id,bio\n1,cut\xed\xa0\xbd\n2,x\n"),
        (b'{"report": "id,bio\\n1,cut\\n"}', b'{"report": "id,bio\\n1,cut\\ud83d\\n"}'),
    ],
)
def test_every_shape_can_have_half_of_a_surrogate_pair(body: bytes, spoiled: bytes) -> None:
    assert spoiling.with_bad_character(body, "surrogate") == spoiled


@pytest.mark.parametrize("what", ["nul", "utf8", "bom", "surrogate"])
def test_a_bad_character_over_http(sandbox: Sandbox, client: httpx.Client, what: str) -> None:
    true = ask(client, "users", **SINCE).content
    play(sandbox, faults.from_json({"kind": "bad_character", "what": what}))
    assert 0 < len(ask(client, "users", **SINCE).content) - len(true) <= 3


def test_a_clock_that_is_ahead(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.institution_analytics.clock_ahead = 86_400
    told = parsedate_to_datetime(ask(client, "users").headers["date"])
    sandbox.institution_analytics.clock_ahead = 0
    assert 86_390 < (told - datetime.now(UTC)).total_seconds() <= 86_401
