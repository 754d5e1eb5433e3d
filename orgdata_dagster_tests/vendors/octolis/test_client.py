"""The client over real HTTP against the simulated vendor, with its limits, its errors and its mandatory headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError
from orgdata_dagster.http.rate_limit import RateLimit, Window
from orgdata_dagster.http.records import Download, RequestRecord
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import DATASETS, DOCUMENTED, Octolis, demo
from orgdata_dagster.sandbox.octolis.api import DEFAULT_KEY
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.state import FileState
from orgdata_dagster.vendors.octolis import client as octolis
from orgdata_dagster.vendors.octolis.client import OctolisClient, Query, parsed_filter, read_error
from orgdata_dagster.vendors.octolis.resource import OctolisLimits
from orgdata_dagster.vendors.octolis.walk import RankRange

CONTACTS = DATASETS["contacts"]


class Rig:
    """A sandbox, a client for it, and a record of the requests."""

    def __init__(self, vendor: Octolis, folder: Path, stack: ExitStack) -> None:
        self.vendor = vendor
        self.folder = folder
        self.sandbox = stack.enter_context(Sandbox(vendor))
        self.records: list[RequestRecord] = []
        self._stack = stack

    def client(self, key: str = DEFAULT_KEY, rate_limit: RateLimit | None = None) -> OctolisClient:
        http = HttpClient(
            "octolis",
            f"{self.sandbox.url}/octolis/v1/data",
            headers=octolis.HEADERS,
            params={octolis.API_KEY_PARAMETER: key},
            secrets=[key],
            credentials_from=["OCTOLIS_API_KEY"],
            error_reader=read_error,
            retry=RetryPolicy(attempts=1),
            observer=self.records.append,
            rate_limit=rate_limit,
        )
        return self._stack.enter_context(OctolisClient(http))

    def page(self, query: Query, **options: object) -> list[dict[str, object]]:
        body = self.client().page(query, into=self.folder / "page.json", read=content, **options)  # type: ignore[arg-type]
        return list(json.loads(body)["records"])


def content(download: Download) -> bytes:
    return download.path.read_bytes()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(demo(records=300, limits=UNLIMITED), tmp_path, stack)


def test_a_page_has_the_newest_records_with_all_their_columns(rig: Rig) -> None:
    truth = {record["__masterid__"]: record for record in rig.vendor.truth(CONTACTS) or ()}
    found = rig.page(Query(CONTACTS), ranks=RankRange(1, 20))
    assert [truth[str(record["__masterid__"])] for record in found] == found
    assert [str(record["__modified_at__"]) for record in found] == sorted(
        (record["__modified_at__"] for record in truth.values()), reverse=True
    )[:20]


def test_order_and_format_are_the_vendors(rig: Rig) -> None:
    oldest = rig.page(Query(CONTACTS), ranks=RankRange(1, 3), order="asc")
    assert oldest[0]["__modified_at__"] == min(row["__modified_at__"] for row in rig.vendor.truth(CONTACTS) or ())
    query, into = Query(CONTACTS, selection=("email",)), rig.folder / "page.csv"
    lines = rig.client().page(query, RankRange(1, 2), format="csv", into=into, read=content).splitlines()
    assert lines[0] == b"email,__masterid__,__all_masterids__,__modified_at__"
    assert len(lines) == 3


def test_several_values_of_a_column_are_alternatives_and_columns_must_all_match(rig: Rig) -> None:
    query = Query(CONTACTS, parsed_filter("firstname:Jeanne,firstname:Zoë,consent_sms:true"))
    truth = [
        record
        for record in rig.vendor.truth(CONTACTS) or ()
        if record["firstname"] in ("Jeanne", "Zoë") and record["consent_sms"] is True
    ]
    assert len(truth) > 5
    assert rig.client().count(query) == len(truth)
    assert {record["__masterid__"] for record in rig.page(query)} == {record["__masterid__"] for record in truth}


def test_a_selection_is_completed_by_the_columns_that_a_pull_needs(rig: Rig) -> None:
    customers = rig.page(Query(DATASETS["customers"], selection=("email", "__masterid__")))
    assert {frozenset(record) for record in customers} == {
        frozenset({"email", "__masterid__", "__modified_at__"}),
        frozenset({"email", "__masterid__", "__modified_at__", "__all_masterids__"}),
    }


def test_a_record_by_its_masterid_says_whether_it_was_merged(rig: Rig) -> None:
    customers = rig.vendor.truth(DATASETS["customers"]) or []
    merged = next(record for record in customers if "__all_masterids__" in record)
    single = next(record for record in customers if "__all_masterids__" not in record)
    client = rig.client()
    assert client.record(DATASETS["customers"], merged["__masterid__"]) == (merged, True)
    assert client.record(DATASETS["customers"], single["__masterid__"]) == (single, False)
    with pytest.raises(PermanentError, match="HTTP 404"):
        client.record(DATASETS["customers"], next(iter(merged["__all_masterids__"] or ())))


def test_pages_hold_every_record(rig: Rig) -> None:
    class Measured:
        def __init__(self, download: Download) -> None:
            self.rows = json.loads(download.path.read_bytes())["records"]
            self.records = len(self.rows)
            self.lowest = self.highest = None

    def read(download: Download) -> Measured:
        return Measured(download)

    walked = list(rig.client().pages(Query(CONTACTS), folder=rig.folder, read=read))
    assert [each.is_last for each in walked] == [True]
    assert walked[0].page.rows == sorted(walked[0].page.rows, key=lambda row: str(row["__modified_at__"]), reverse=True)
    assert len(walked[0].page.rows) == len(rig.vendor.truth(CONTACTS) or ())


def test_a_read_costs_one_point_and_says_nothing_secret(rig: Rig) -> None:
    rig.client().count(Query(CONTACTS))
    record = rig.records[-1]
    assert (record.cost, record.endpoint) == (1, f"/octolis/v1/data/datasets/{CONTACTS}/records/count")
    assert {"apigw-requestid", "traceparent"} <= record.request_ids.keys()
    assert DEFAULT_KEY not in repr(record)


def test_a_wrong_key_is_permanent_names_the_variable_and_is_not_shown(rig: Rig) -> None:
    with pytest.raises(PermanentError, match="OCTOLIS_API_KEY") as caught:
        rig.client("not-the-key").count(Query(CONTACTS))
    assert "not-the-key" not in str(caught.value)
    assert len(rig.records) == 1


def test_the_vendors_own_reason_is_reported(rig: Rig) -> None:
    with pytest.raises(PermanentError, match=r"Validation failed.*unknown column 'nonsense'"):
        rig.client().count(Query(CONTACTS, (("nonsense", "1"),)))
    with pytest.raises(PermanentError, match="Dataset not found"):
        rig.client().count(Query("nobody"))


def test_the_documented_limits_are_kept_and_used(tmp_path: Path) -> None:
    """25 points per second, then the 150 per minute: the first 175 reads need no waiting, and none is refused."""
    with ExitStack() as stack:
        rig = Rig(demo(records=10, limits=DOCUMENTED), tmp_path, stack)
        client = rig.client(rate_limit=RateLimit("octolis", OctolisLimits().rule(), FileState(tmp_path)))
        for _ in range(60):
            client.count(Query(CONTACTS))
        assert {record.status for record in rig.records} == {200}
        assert sum(record.waited for record in rig.records) < 1


def test_the_rule_is_the_documented_one() -> None:
    assert OctolisLimits().rule().buckets == ((Window(25, 1), Window(150, 60)), (Window(2000, 60),))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (  # vendor_apis/octolis.md, "Errors handling"
            {
                "title": "Validation failed for the provided data",
                "detail": "Validation for upsertion request failed",
                "status": 400,
                "values": {"email": "jeannerenard1183@gmail.com", "consent_sms": 25},
                "errors": ["consent_sms (#/properties/consent_sms/type) - must be boolean"],
            },
            "Validation failed for the provided data",
            "Validation for upsertion request failed: consent_sms (#/properties/consent_sms/type) - must be boolean",
        ),
        (
            {
                "title": "Missing mandatory columns from the upsertion data",
                "detail": "Missing the following mandatory columns: firstname",
                "status": 400,
                "missing": ["firstname"],
            },
            "Missing mandatory columns from the upsertion data",
            "Missing the following mandatory columns: firstname: missing: firstname",
        ),
        ({"message": "Forbidden"}, "", "Forbidden"),
    ],
)
def test_errors_are_read_without_the_values_that_were_sent(error: dict[str, object], code: str, message: str) -> None:
    found = read_error(json.dumps(error).encode(), httpx.Headers())
    assert (found.code, found.message) == (code, message)


def test_answers_that_are_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "answer").write_bytes(b'{"a":' * 60_000)
    assert read_error((tmp_path / "answer").read_bytes(), httpx.Headers()).message.startswith('{"a":')
    with pytest.raises(BadBody, match="not JSON"):
        octolis.json_object(Download(tmp_path / "answer", 200, httpx.Headers(), 300_000, None, 0.0, 1, "/x"))


@pytest.mark.parametrize("text", ["nonsense", "a:1,,b:2", ":x"])
def test_an_invalid_filter_is_an_error_before_any_request(text: str) -> None:
    with pytest.raises(ValueError, match="column:value"):
        parsed_filter(text)


def test_a_value_with_a_comma_cannot_be_expressed() -> None:
    with pytest.raises(ValueError, match="comma"):
        _ = Query(CONTACTS, (("note", "a,b"),)).parameters
    assert parsed_filter("born_at:1978-06-23 00:00:00") == (("born_at", "1978-06-23 00:00:00"),)
