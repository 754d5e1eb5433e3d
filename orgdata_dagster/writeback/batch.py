"""One batch, from the request to what it means for each row.

Here: the call, which runs in a thread, and the reading of its outcome. Keep out: what follows from it (delivery.py).

A request whose answer never came may have been carried out. Upserts and updates are the same when they come twice, so
the client sends again; whoever looks at the results can see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from orgdata_dagster.http import stopping
from orgdata_dagster.http.client import Observer
from orgdata_dagster.http.errors import TransientError, VendorError
from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.writing import Fate, Mode, OctolisWriter
from orgdata_dagster.writeback.definition import Row
from orgdata_dagster.writeback.journal import Batch
from orgdata_dagster.writeback.results import Outcome, Result

Send = Callable[[Sequence[Row], Observer], Sequence[Fate]]
"""Sends the rows in one request and gives their fates in their order. Raises VendorError."""


@dataclass
class Reply:
    """What came of a batch: the rows' fates, or the error; and every request that it took."""

    fates: Sequence[Fate] = ()
    error: VendorError | None = None
    requests: list[RequestRecord] = field(default_factory=list)

    @property
    def doubt(self) -> str | None:
        """Why octolis may have carried out a request without our knowing; None if it cannot."""
        lost = [record.error for record in self.requests if record.error and _may_be_done(record)]
        return f"no answer: {lost[0]}".replace("no answer: no answer", "no answer") if lost else None

    @property
    def known(self) -> bool:
        """Whether it is certain what octolis did with the rows."""
        return self.error is None or self.doubt is None

    @property
    def seconds(self) -> float:
        """How long the last exchange took."""
        return self.requests[-1].seconds if self.requests else 0.0

    def carried_over(self, batch: Batch) -> Batch:
        """The batch to be sent again, whose rows remember that octolis may have them."""
        if self.doubt is None:
            return batch
        return replace(batch, rows=[replace(row, again=row.again or self.doubt) for row in batch.rows])

    def results(self, batch: Batch, *, alone: bool = False) -> list[Result]:
        """Each row's result. `alone`: an error is the verdict on the one row that the batch holds."""
        ids = self.requests[-1].request_ids if self.requests else {}
        outcome: Outcome = "rejected" if alone else "not sent" if self.known else "unknown"
        failed = Fate(written=False, reason=self.error.reason if self.error else "")
        fates = self.fates if self.error is None else [failed] * len(batch.rows)
        return [
            Result(
                row,
                outcome if self.error else "written" if fate.written else "rejected",
                batch.id,
                position,
                len(self.requests),
                fate.masterid,
                fate.modified_at,
                fate.merged,
                fate.ignored,
                fate.reason or None,
                row.again or (self.doubt if len(self.requests) > 1 else None),
                ids.get("apigw-requestid"),
                ids.get("traceparent"),
            )
            for position, (row, fate) in enumerate(zip(batch.rows, fates, strict=True))
        ]


def to_dataset(mode: Mode, writer: OctolisWriter, dataset: str) -> Send:
    """Sends rows to a dataset."""

    def call(rows: Sequence[Row], observer: Observer) -> Sequence[Fate]:
        return writer.write_batch(mode, dataset, [json.loads(row.payload) for row in rows], observer=observer)

    return call


def send(call: Send, batch: Batch) -> Reply:
    """Send a batch and wait for its answer."""
    reply = Reply()
    try:
        reply.fates = call(batch.rows, reply.requests.append)
    except VendorError as error:
        reply.error = error
    except stopping.Stopped:
        reply.error = told_to_stop()  # before the request was sent, or while its answer was waited for
    return reply


def told_to_stop() -> TransientError:
    """Why a delivery ends before its time."""
    return TransientError(
        "stopped before everything was sent",
        vendor=OctolisResource.vendor,
        remedy="Run it again: the rest will be sent.",
    )


def _may_be_done(record: RequestRecord) -> bool:
    """Whether the request may have been carried out although it failed for us: no answer, a broken one, or a 5xx."""
    return record.status is None or record.status < 300 or record.status >= 500
