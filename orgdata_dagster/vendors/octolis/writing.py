"""Writing through the octolis data API: upserts, updates, batches of them, and webhooks.

    POST  {base_url}/datasets/{id}/records[/batch]             upsert, by the dataset's deduplication keys
    PATCH {base_url}/datasets/{id}/records/{masterid | batch}  update, by masterid
    POST or PUT {base_url}/webhook/{id}                        any JSON

Here: the requests, what they cost, and the result of each record in the answer (`vendor_apis/octolis.md`).
Add here when: there is another endpoint for writing.
Keep out: Dagster, DuckDB; which rows are sent, and what happens to rejected rows (writeback/).

The status 2xx of a batch says nothing about its records: each record has its own result, at its own position.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.errors import BadBody, PermanentError
from orgdata_dagster.http.records import Download, Observer
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.vendors.octolis.client import (
    ALL_MASTERIDS,
    MASTERID,
    MODIFIED_AT,
    json_object,
    problems,
    records_path,
)

WRITE_POINTS = 10
MAX_BATCH = 500

Mode = Literal["upsert", "update"]
Method = Literal["POST", "PUT"]
Record = Mapping[str, Any]
T = TypeVar("T")

_REMEDIES = {
    (
        "datasets",
        403,
    ): "Check that the dataset is not a SQL dataset, which is read-only, and that OCTOLIS_API_KEY may write.",
    ("datasets", 404): "Check the dataset's id.",
    ("webhook", 403): "Check OCTOLIS_API_KEY, `headers` and this machine's address against the webhook's whitelists.",
    ("webhook", 404): "Check `webhook_id`.",
    ("webhook", 405): "Check `method`.",
}


@dataclass(frozen=True)
class RecordResult:
    """The result of one record that was sent.

    masterid, modified_at: of the record in octolis, if it was written.
    merged: masterids of records that were merged into this one and no longer exist.
    ignored: protected columns, whose values octolis ignored.
    reason: why it was not written; empty if it was.
    """

    written: bool
    masterid: str | None = None
    modified_at: str | None = None
    merged: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    reason: str = ""


class OctolisWriter(ApiClient):
    """Writes through `http`, which keeps the rate limit and retries.

    All methods raise the errors of HttpClient.fetch; if the dataset is busy, a PermanentError with status 423.
    `observer` is called for every request of one call.
    """

    def upsert(self, dataset: str, record: Record, *, observer: Observer | None = None) -> RecordResult:
        """Create or update the record with the same deduplication keys."""
        return self._send("POST", records_path(dataset), _encoded(record), _result_of_one, observer=observer)

    def update(self, dataset: str, masterid: str, record: Record, *, observer: Observer | None = None) -> RecordResult:
        """Update the record with this masterid."""
        endpoint = f"{records_path(dataset)}/{quote(masterid, safe='')}"
        return self._send("PATCH", endpoint, _encoded(record), _result_of_one, observer=observer)

    def write_batch(
        self, mode: Mode, dataset: str, records: Sequence[Record], *, observer: Observer | None = None
    ) -> list[RecordResult]:
        """Upsert or update up to 500 records; returns one result per record, in order.

        Records for an update need a `__masterid__`.
        """
        method = "POST" if mode == "upsert" else "PATCH"

        def results(download: Download) -> list[RecordResult]:
            return results_in(download, len(records))

        return self._send(method, f"{records_path(dataset)}/batch", _encoded(records), results, observer=observer)

    def call_webhook(
        self,
        webhook: str,
        payload: str,
        *,
        method: Method = "POST",
        headers: Mapping[str, str] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Send `payload`, a JSON text, to a webhook.

        headers: those that the webhook's whitelist requires.
        """
        endpoint = f"/webhook/{quote(webhook, safe='')}"
        self._send(method, endpoint, payload.encode(), _check_webhook, headers=headers, observer=observer)

    def _send(
        self,
        method: str,
        endpoint: str,
        content: bytes,
        read: Callable[[Download], T],
        *,
        headers: Mapping[str, str] | None = None,
        observer: Observer | None,
    ) -> T:
        try:
            return self._read(
                endpoint, read, method=method, headers=headers, content=content, cost=WRITE_POINTS, observer=observer
            )
        except PermanentError as error:
            error.remedy = _REMEDIES.get((endpoint.split("/")[1], error.status or 0), error.remedy)
            raise


def _encoded(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def results_in(download: Download, sent: int) -> list[RecordResult]:
    """The results in the answer to a batch. `sent`: its number of records. Raises BadBody for another number."""
    results = json_object(download).get("results")
    if not isinstance(results, list) or len(results) != sent:
        found = len(results) if isinstance(results, list) else "no"
        # as after a lost answer: the rows may have been written, and only sending them again shows that
        raise BadBody(f"the answer has {found} results for {sent} records")
    return [_result(result) for result in results]


def _check_webhook(download: Download) -> None:
    """Raise BadBody if a webhook reports an error with a status of success. Any other answer is accepted."""
    try:
        found = json.loads(download.path.read_bytes())
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and (found.get("error") or found.get("errors") or found.get("success") is False):
        raise BadBody(f"the webhook answers with an error: {excerpt(json.dumps(found), 200)}")


def _result_of_one(download: Download) -> RecordResult:
    answer = json_object(download)
    if not isinstance(answer.get("record"), dict):
        raise BadBody("the answer has no 'record', so it is unknown whether the row was written")
    return _result({"written": True, **answer})


def _result(result: Any) -> RecordResult:
    written = result.get("written") if isinstance(result, dict) else None
    if not isinstance(written, bool):
        raise BadBody("a result of the answer does not say whether its row was written")
    if not written:
        return RecordResult(written=False, reason=_reason(result.get("error")))
    record, warnings = _object(result.get("record")), _object(result.get("warnings"))
    masterid = record.get(MASTERID)
    if not isinstance(masterid, str):
        raise BadBody("a result of the answer says that its row was written, but names no record")
    # answers to writes also name the remaining record itself
    merged = tuple(each for each in record.get(ALL_MASTERIDS) or () if each != masterid)
    ignored = tuple(map(str, warnings.get("protected_columns") or ()))
    return RecordResult(
        written=True, masterid=masterid, modified_at=record.get(MODIFIED_AT), merged=merged, ignored=ignored
    )


def _reason(error: Any) -> str:
    """The error of a row, without its `values`, which may be personal data."""
    found = _object(error)
    why = problems(found) or str(found.get("detail") or "")
    return ": ".join(filter(None, (str(found.get("title") or "refused, without a reason"), why)))


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}
