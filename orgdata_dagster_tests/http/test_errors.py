"""Which failures are retried, and what their messages contain."""

import copy
import pickle

import pytest

from orgdata_dagster.http.errors import (
    MESSAGE_CAP,
    BadBody,
    PermanentError,
    RetriesExhausted,
    TransientError,
    UnsafeUrl,
    VendorError,
    classify,
    remedy_for,
)

MAY_WORK_LATER = [408, 425, 429, 500, 502, 503, 504, 520, 529]
NEVER = [300, 304, 400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 423, 451, 501, 505]


@pytest.mark.parametrize("status", MAY_WORK_LATER)
def test_transient_statuses(status: int) -> None:
    assert classify(status) is TransientError


@pytest.mark.parametrize("status", NEVER)
def test_permanent_statuses(status: int) -> None:
    assert classify(status) is PermanentError


def test_a_vendor_can_add_transient_statuses_but_not_clear_refusals() -> None:
    assert classify(423, frozenset({423})) is TransientError
    for status in (400, 401, 403, 404):
        assert classify(status, frozenset({status})) is PermanentError


def test_error_classes_separate_transient_from_permanent() -> None:
    assert issubclass(BadBody, TransientError)
    assert issubclass(RetriesExhausted, TransientError)
    assert issubclass(UnsafeUrl, PermanentError)
    assert not issubclass(PermanentError, TransientError)


def test_the_message_is_one_line_that_ends_with_a_remedy() -> None:
    error = PermanentError(
        "Missing mandatory columns:\n  firstname.",
        vendor="octolis",
        endpoint="/datasets/7",
        status=400,
        code="invalid",
        request_ids={"apigw-requestid": "r1", "traceparent": "t1"},
    )
    assert str(error) == (
        "octolis /datasets/7: HTTP 400 [invalid] Missing mandatory columns: firstname. "
        "(apigw-requestid=r1, traceparent=t1). Correct the request; repeating it cannot help."
    )


def test_a_refusal_names_the_variables_of_the_credentials() -> None:
    for status in (401, 403):
        remedy = remedy_for(status, ("OCTOLIS_API_KEY", "OCTOLIS_ACCOUNT"))
        assert remedy is not None
        assert "OCTOLIS_API_KEY and OCTOLIS_ACCOUNT" in remedy
    assert remedy_for(500, ("OCTOLIS_API_KEY",)) is None


def test_messages_are_capped() -> None:
    assert len(VendorError("x" * 10_000).message) == MESSAGE_CAP


def test_about_only_fills_in_missing_fields() -> None:
    error = BadBody("row 3 does not parse", endpoint="/mine", request_ids={"a": "1"})
    assert error.about(vendor="v", endpoint="/theirs", status=200, request_ids={"a": "2", "b": "3"}) is error
    assert (error.vendor, error.endpoint, error.status) == ("v", "/mine", 200)
    assert error.request_ids == {"a": "1", "b": "3"}
    assert "HTTP 200" not in str(error)  # the status is not the error


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_can_be_copied_and_pickled(again) -> None:  # type: ignore[no-untyped-def]
    error = again(TransientError("busy", vendor="v", endpoint="/e", status=503, code="c"))
    assert type(error) is TransientError
    assert (str(error), error.status) == ("v /e: HTTP 503 [c] busy. It may work later: try again.", 503)
