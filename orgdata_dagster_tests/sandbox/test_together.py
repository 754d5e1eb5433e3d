"""The endpoint against vendor_apis/together.md; the sentences quoted are the document's."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from orgdata_dagster.sandbox.faults import CutCsv, Html, Reset, ShortBody, Slow, Status
from orgdata_dagster.sandbox.limits import UNLIMITED, Limiter
from orgdata_dagster.sandbox.log import most_at_once
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.together import Report, Together, document_limits
from orgdata_dagster_tests.sandbox.reading import parse
from orgdata_dagster_tests.waiting import wait_until

ROWS = [
    {"User ID": "000042", "Match Score (%)": "87.50", "Bio": 'says "hi",\r\nthen leaves'},
    {"User ID": "000043", "Match Score (%)": "", "Bio": None},
    {"User ID": "000044", "Match Score (%)": None, "Bio": "naïve 東京 👩🏽"},
]
HEADERS = {
    "organization-id": "org-1",
    "client-id": "client-1",
    "api-key": "secret",
    "content-type": "application/json",
}


def together(**options: object) -> Together:
    users = Report(ROWS[0], ROWS, key="User ID")
    kinds = {"limits": UNLIMITED, **options}
    return Together(
        {"users": users, "pairings": Report(["Pairing ID"])},
        organization_id="org-1", client_id="client-1", api_key="secret", **kinds,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(together()) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    sandbox.log.clear()
    sandbox.together.faults.clear()
    sandbox.together.reports, sandbox.together.escape_unicode = together().reports, False
    with connect(sandbox) as client:
        yield client


def connect(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=f"{sandbox.url}/together", headers=HEADERS, verify=False)


def export(client: httpx.Client, report: str = "userReport", organization: str = "org-1") -> httpx.Response:
    return client.get(f"/public/{organization}/reports/export/{report}")


def rows(answer: httpx.Response) -> list[dict[str, str | None]]:
    return parse(answer.raise_for_status().json()["report"].removeprefix("\ufeff") + "\r\n")


def test_the_report_is_a_csv_in_a_json_string(sandbox: Sandbox, client: httpx.Client) -> None:
    answer = export(client)
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert list(answer.json()) == ["report"]
    assert answer.json()["report"] == (
        "\ufeffUser ID,Match Score (%),Bio\r\n"
        '000042,87.50,"says ""hi"",\r\nthen leaves"\r\n'
        '000043,"",\r\n'
        "000044,,naïve 東京 👩🏽"
    )
    assert sandbox.together.truth("users") == rows(answer) == ROWS
    entry = sandbox.log.entries()[0]
    assert (entry.endpoint, entry.rows) == ("/public/org-1/reports/export/userReport", 3)


def test_characters_may_be_escaped(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.together.escape_unicode = True
    answer = export(client)
    assert answer.content.isascii()
    assert rows(answer) == ROWS


def test_reports_that_are_empty_or_not_there(client: httpx.Client) -> None:
    assert export(client, "pairingReport").json() == {"report": "\ufeffPairing ID"}
    assert export(client, "sessionReport").status_code == 404
    assert export(client, "users").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": "wrong"}, 401),
        ({"api-key": ""}, 401),
        ({"client-id": "other"}, 401),
        ({"organization-id": ""}, 400),
        ({"organization-id": "org-2"}, 400),
        ({"content-type": ""}, 400),
        ({"content-type": "text/csv"}, 400),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_all_four_headers_are_required(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    """'Missing required information, see response body', 'Please attach valid authentication credentials'."""
    client.headers.update(headers)
    answer = export(client)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["code"] == status
        assert "secret" not in answer.text


def test_the_credentials_are_of_one_organisation(client: httpx.Client) -> None:
    client.headers["organization-id"] = "org-2"
    assert export(client, organization="org-2").status_code == 401


def test_one_request_a_minute_over_all_reports_and_the_key_is_revoked() -> None:
    """'To avoid your key being revoked': here after the second violation, for good."""
    now = 0.0
    vendor = together(limits=document_limits(revoke_after=2))
    vendor.limiter.clock = lambda: now
    with Sandbox(vendor) as sandbox, connect(sandbox) as client:
        assert [export(client).status_code, export(client, "pairingReport").status_code] == [200, 429]
        now = 60.0
        assert [export(client, "pairingReport").status_code for _ in range(3)] == [200, 429, 401]
        now = 3600.0
        assert export(client).status_code == 401
    assert vendor.limiter.violations == 2


def test_one_request_at_a_time() -> None:
    with Sandbox(together(limits=document_limits(0.01))) as sandbox, connect(sandbox) as client:
        sandbox.together.faults.add(Slow(0.4))
        slow = threading.Thread(target=export, args=(client,))
        slow.start()
        wait_until(lambda: any(entry.fault for entry in sandbox.log.entries()))
        time.sleep(0.02)
        assert export(client).json()["error"]["message"] == "more than 1 requests at once"
        slow.join()
        assert export(client).status_code == 200
        assert most_at_once(sandbox.log.entries(statuses=[200])) == 1


def test_the_documents_minute_is_the_default() -> None:
    now = 0.0
    limiter = Limiter(Together().limiter.limits, lambda: now)
    for moment, admitted in ((0.0, True), (59.999, False), (60.0, True), (119.999, False)):
        now = moment
        assert (limiter.enter("organisation") is None) is admitted
        if admitted:
            limiter.leave("organisation")


def test_a_cut_report_is_whole_json(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.together.faults.add(CutCsv())
    report = export(client).json()["report"]
    assert report.count('"') % 2 == 1
    with pytest.raises(ValueError, match="no CSV"):
        parse(report.removeprefix("\ufeff") + "\r\n")


def test_the_other_faults(sandbox: Sandbox, client: httpx.Client) -> None:
    for fault in (Html(), Status(503, retry_after=9), ShortBody(), Reset(0.5), Reset()):
        sandbox.together.faults.add(fault)
    assert export(client).text.startswith("<!DOCTYPE html>")
    assert export(client).headers["retry-after"] == "9"
    for error in (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadError):
        with pytest.raises(error):
            export(client)
    assert rows(export(client)) == ROWS


def test_rows_and_columns_change_while_it_runs(sandbox: Sandbox, client: httpx.Client) -> None:
    users = sandbox.together.reports["users"]
    users.insert({"User ID": "000045"})
    assert users.update("000042", {"Bio": "new"}) == 1
    assert users.update(lambda row: row["Bio"] is None, {"Match Score (%)": "1"}) == 2
    assert users.delete("000044") == 1
    users.add_column("Extra [new]", "x")
    users.drop_column("Bio")
    assert rows(export(client)) == users.truth() == [
        {"User ID": "000042", "Match Score (%)": "87.50", "Extra [new]": "x"},
        {"User ID": "000043", "Match Score (%)": "1", "Extra [new]": "x"},
        {"User ID": "000045", "Match Score (%)": "1", "Extra [new]": "x"},
    ]  # fmt: skip


def test_wrong_changes_are_refused_and_change_nothing() -> None:
    report = Report(["a", "b"], [{"a": "1"}], key="a")
    with pytest.raises(ValueError, match="already"):
        report.insert({"a": "1"})
    for wrong in (lambda: report.insert({"c": "1"}), lambda: report.update("1", {"b": "2", "c": "1"})):
        with pytest.raises(ValueError, match="no column c"):
            wrong()
    with pytest.raises(ValueError, match="predicate"):
        Report(["a"]).delete("1")
    assert report.truth() == [{"a": "1", "b": None}]
