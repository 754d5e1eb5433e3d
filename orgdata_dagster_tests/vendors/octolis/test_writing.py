"""Writing through the client over real HTTP: single records, batches, webhooks, costs and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download, RequestRecord
from orgdata_dagster.sandbox.faults import ErrorBody, Reset
from orgdata_dagster.vendors.octolis.resource import OctolisLimits
from orgdata_dagster.vendors.octolis.writing import OctolisWriter, RecordResult, results_in
from orgdata_dagster_tests.vendors.octolis.sync.rig import Rig


@pytest.fixture
def rig(own_home: Path, stack: ExitStack) -> Rig:
    assert own_home
    return Rig(stack, rows=1, keys=(("email",), ("phone",)))


@pytest.fixture
def writer(rig: Rig) -> Iterator[OctolisWriter]:
    with rig.resource().writer() as writer:
        yield writer


def test_one_record(rig: Rig, writer: OctolisWriter) -> None:
    made = writer.upsert("people", {"email": "é", "phone": None, "n": 1, "origin": "mine"})
    (truth,) = rig.people.truth()
    assert made == RecordResult(True, truth["__masterid__"], truth["__modified_at__"], ignored=("origin",))
    assert writer.update("people", made.masterid or "", {"n": 2}).masterid == made.masterid
    other = writer.upsert("people", {"email": None, "phone": "1"})
    merged = writer.upsert("people", {"email": "é", "phone": "1"})
    assert (merged.masterid, merged.merged) == (made.masterid, (other.masterid,))
    assert [(row["email"], row["n"]) for row in rig.people.truth()] == [("é", 2)]
    assert {(entry.method, entry.cost) for entry in rig.sandbox.log.entries()} == {("POST", 10), ("PATCH", 10)}
    with pytest.raises(PermanentError, match="must be integer") as wrong:
        writer.upsert("people", {"email": "secret@example.org", "phone": None, "n": "x"})
    assert "secret" not in str(wrong.value)
    with pytest.raises(PermanentError, match="Check the dataset's id"):
        writer.update("people", "no/body", {"n": 2})


def test_each_row_of_a_batch_has_its_own_result(rig: Rig, writer: OctolisWriter) -> None:
    rows = [{"email": "a", "phone": None}, {"email": "b"}, {"email": "c", "phone": None, "vip": "yes"}]
    seen: list[RequestRecord] = []
    good, *bad = writer.write_batch("upsert", "people", rows, observer=seen.append)
    assert good.written
    assert [(result.written, result.reason) for result in bad] == [
        (False, "Missing mandatory columns from the upsertion data: missing: phone"),
        (False, "Validation failed for the provided data: vip (#/properties/vip/type) - must be boolean"),
    ]
    assert [{"apigw-requestid", "traceparent"} <= record.request_ids.keys() for record in seen] == [True]
    (changed,) = writer.write_batch("update", "people", [{"__masterid__": good.masterid, "n": 5}])
    assert (changed.written, rig.people.truth()[0]["n"]) == (True, 5)


def test_a_busy_dataset_is_reported_at_once_and_a_lost_answer_is_requested_again(
    rig: Rig, writer: OctolisWriter
) -> None:
    rig.people.busy(60)
    with pytest.raises(PermanentError) as busy:
        writer.write_batch("upsert", "people", [{"email": "a", "phone": None}])
    assert (busy.value.status, rig.requests()) == (423, 1)
    rig.people.busy(0)
    rig.vendor.faults.add(Reset(part=0.5))
    seen: list[RequestRecord] = []
    assert writer.upsert("people", {"email": "a", "phone": None}, observer=seen.append).written
    assert (rig.people.received["a"], len(seen)) == (2, 2)


def test_an_answer_that_does_not_fit_its_batch_is_rejected(tmp_path: Path) -> None:
    """Results could not be assigned to rows. The client sends the batch again, as after a lost answer."""
    for body, said in (
        (b'{"results": [{"written": true}]}', "1 results for 2 records"),
        (b'{"results": [{}, {"written": true}]}', "does not say whether its row was written"),
        (b'{"results": [{"written": true}, {}]}', "says that its row was written, but names no record"),
        (b'{"error": "none"}', "no results for 2 records"),
    ):
        (tmp_path / "answer").write_bytes(body)
        with pytest.raises(BadBody, match=said):
            results_in(Download(tmp_path / "answer", 200, httpx.Headers(), 1, None, 0.0, 1, "/"), 2)


def test_webhooks_and_what_they_ask_for(rig: Rig, writer: OctolisWriter) -> None:
    writer.call_webhook("hook", '{"n":1.10}', method="PUT", headers={"x-source": "orgdata"})
    assert [call.payload for call in rig.vendor.webhook_calls] == [{"n": 1.1}]
    for method, webhook, headers, remedy in (
        ("POST", "hook", {"x-source": "orgdata"}, "Check `method`"),
        ("PUT", "none", {"x-source": "orgdata"}, "Check `webhook_id`"),
        ("PUT", "hook", {}, "whitelists"),
    ):
        with pytest.raises(PermanentError, match=remedy):
            writer.call_webhook(webhook, "{}", method=method, headers=headers)  # type: ignore[arg-type]
    assert len(rig.vendor.webhook_calls) == 1


@pytest.mark.parametrize("body", [{"error": {"code": 17}}, {"errors": ["quota"]}, {"success": False}])
def test_an_error_in_a_webhooks_200_is_not_a_success(rig: Rig, writer: OctolisWriter, body: object) -> None:
    rig.vendor.faults.add(ErrorBody(body), times=10)
    with pytest.raises(VendorError, match="the webhook answers with an error"):
        writer.call_webhook("hook", "{}", method="PUT", headers={"x-source": "orgdata"})


def test_the_sum_in_the_document() -> None:
    """'(25 / 10) * 60 + (150 / 10) = 135', for whole requests per second; and the account's limit."""
    limits = OctolisLimits(), OctolisLimits(points_per_second=1000)
    assert [each.writes_per_minute for each in limits] == [135, 200]
