"""The client against the sandbox: its requests, its results, and answers that are not reports."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.http.errors import PermanentError, RetriesExhausted
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.sandbox.exchange import Exchange
from orgdata_dagster.sandbox.faults import CutCsv, Html, ShortBody, Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.together import client as api
from orgdata_dagster.vendors.together.client import REPORTS, TogetherClient
from orgdata_dagster.vendors.together.resource import TogetherLimits, TogetherResource
from orgdata_dagster_tests.vendors.together.rig import MINUTE


def text(download: Download) -> str:
    assert download.bytes > 0
    return download.path.read_bytes().decode()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[TogetherClient]:  # noqa: ARG001 - it sets the environment
    with TogetherResource.from_environment(
        limits=TogetherLimits(seconds_between_requests=MINUTE), retries=Retries(attempts=2)
    ).client() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pages"
    made.mkdir()
    return made


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("table", REPORTS)
def test_a_report_is_the_vendors_csv_to_the_byte(
    sandbox: Sandbox, client: TogetherClient, folder: Path, table: str, escaped: bool
) -> None:
    """The sandbox refuses a request without the four headers."""
    sandbox.together.escape_unicode = escaped
    assert client.report(table, into=folder / "csv", read=text) == sandbox.together.reports[table].csv()
    assert [file.name for file in folder.iterdir()] == ["csv"]  # the JSON is gone
    (entry,) = sandbox.log.entries()
    assert entry.endpoint == f"/public/sandbox-organization/reports/export/{REPORTS[table]}"


class Body(Html):
    """Any body with status 200."""

    async def play(self, exchange: Exchange) -> None:
        start, _ = await exchange.true_answer()
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await exchange.send({**start, "headers": headers})
        await exchange.send_body(self.body.encode())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Html(), "HTML page"),
        (Body(json.dumps({"report": "<!DOCTYPE html><html>maintenance</html>"})), "the report is an HTML page"),
        (Body('{"report": ""}'), "without even a header"),
        (Body('{"message": "later"}'), "no members 'report'"),
        (ShortBody(0.9), "truncated"),
        (Status(503), "HTTP 503"),
        (Status(500), "HTTP 500"),
    ],
    ids=["html", "html inside", "empty", "no report", "short", "503", "500"],
)
def test_an_answer_that_is_not_a_report_is_requested_again(
    sandbox: Sandbox, client: TogetherClient, folder: Path, fault: Html, words: str
) -> None:
    sandbox.together.faults.add(fault, times=3)
    with pytest.raises(RetriesExhausted, match=words):
        client.report("users", into=folder / "csv", read=text)
    assert list(folder.iterdir()) == []
    assert "User ID" in client.report("users", into=folder / "csv", read=text)
    assert len(sandbox.log.entries()) == 4


def test_a_reader_may_also_reject_the_report(sandbox: Sandbox) -> None:
    """A CSV that is cut off inside complete JSON: only the parser of the CSV can notice it."""
    sandbox.together.faults.add(CutCsv(), times=2)
    resource = TogetherResource.from_environment(
        limits=TogetherLimits(seconds_between_requests=MINUTE), retries=Retries(attempts=2)
    )
    with pytest.raises(RetriesExhausted, match="ends inside a quoted field"):
        resource.rows("users")
    assert list(settings.staging().rglob("*.csv")) == []


def test_rows_for_a_notebook(sandbox: Sandbox) -> None:
    frame = TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=MINUTE)).rows("users")
    truth = sandbox.together.truth("users")
    assert truth is not None
    assert list(frame["User ID"]) == [row["User ID"] for row in truth]
    sandbox.together.reports["users"].delete(lambda _: True)
    empty = TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=MINUTE)).rows("users")
    assert list(empty.columns) == list(frame.columns)
    assert empty.empty


def test_401_stops_all_requests_until_the_circuit_breaker_is_reset(
    sandbox: Sandbox, client: TogetherClient, folder: Path
) -> None:
    sandbox.together.api_key = "another"
    with pytest.raises(PermanentError, match=r"may have been revoked.*orgdata doctor --clear together"):
        client.report("users", into=folder / "csv", read=text)
    sandbox.together.api_key = "sandbox-key"
    with pytest.raises(PermanentError, match="no request was sent"):
        TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=MINUTE)).rows("sessions")
    assert len(sandbox.log.entries()) == 1


def test_the_minute_and_what_it_leaves_for_delays() -> None:
    resource = TogetherResource(base_url=api.BASE_URL, organization_id="o", client_id="c", api_key="k")
    rule = resource.rule()
    assert (rule.buckets[0][0].points, rule.in_flight, rule.unknown_past) == (1, 1, "spent")
    assert 61 <= rule.memory <= 62.5  # two queued requests: at most 63 s apart, with what waking up takes
    assert rule.slack >= 1
    policy = resource.retry_policy()
    waits = [policy.backoff(failures, lambda low, _high: low) for failures in range(1, 6)]
    assert waits == [60, 120, 240, 480, 960]
    assert sum(waits) < policy.total_seconds


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1, 60, 3600])
def test_any_interval_makes_a_rule(seconds: float) -> None:
    assert isinstance(TogetherLimits(seconds_between_requests=seconds).rule(), Rule)


def test_the_vendors_own_address_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in TogetherResource.environment_of({}).values():
        monkeypatch.setenv(variable, "")
    assert set(TogetherResource.from_variables().missing_variables()) == {
        "TOGETHER_ORGANIZATION_ID", "TOGETHER_CLIENT_ID", "TOGETHER_API_KEY",
    }  # fmt: skip
    secrets = {"organization_id": "o", "client_id": "c", "api_key": "k"}
    for name, value in secrets.items():
        monkeypatch.setenv(f"TOGETHER_{name.upper()}", value)
    assert TogetherResource.from_environment().base_url == "https://api.togetherplatform.com"
