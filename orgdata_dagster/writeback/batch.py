"""One batch, from the call of the destination to the outcome of each row.

Here: the call, which runs in a thread, and the outcomes of its rows. Keep out: the engine's reaction (delivery.py).

A batch whose answer is lost may have been written. Destinations accept a row twice, so that their clients may send the
batch again. The result of each row then states that it was sent again, and why.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orgdata_dagster.http.errors import TransientError, VendorError
from orgdata_dagster.state import stopping
from orgdata_dagster.writeback.destination import Attempt, BatchRefused, Row, RowResult, Write
from orgdata_dagster.writeback.results import Outcome, RowOutcome


@dataclass(frozen=True)
class Batch:
    """Rows that are sent in one request."""

    id: str
    rows: Sequence[Row]


@dataclass
class BatchAnswer:
    """The answer to a batch: one result per row, or an error; and every attempt.

    took: seconds from the call to its end.
    """

    results: Sequence[RowResult] = ()
    error: VendorError | None = None
    attempts: list[Attempt] = field(default_factory=list)
    took: float = 0.0

    @property
    def may_be_written(self) -> str | None:
        """Why the destination may have written rows without saying so; None if that is impossible."""
        return next((attempt.lost for attempt in self.attempts if attempt.lost), None)

    @property
    def certain(self) -> bool:
        """Whether it is certain what the destination did with the rows."""
        return self.error is None or self.may_be_written is None

    @property
    def seconds(self) -> float:
        """How long the last attempt took, without waiting for the rate limit."""
        return self.attempts[-1].seconds if self.attempts else self.took

    def carried_over(self, batch: Batch) -> Batch:
        """The batch to send again. Its rows state why they may have been written already, if so."""
        if self.may_be_written is None:
            return batch
        return replace(batch, rows=[replace(row, again=row.again or self.may_be_written) for row in batch.rows])

    def outcomes(self, batch: Batch) -> list[RowOutcome]:
        """The outcome of each row."""
        results: Sequence[RowResult] = self.results
        if self.error is not None:
            results = [RowResult(written=False, reason=self.error.reason)] * len(batch.rows)
        request_ids = self.attempts[-1].request_ids if self.attempts else {}
        retried = self.may_be_written if len(self.attempts) > 1 else None
        return [
            RowOutcome(
                row,
                self._outcome(result),
                result,
                batch.id,
                position,
                len(self.attempts),
                again=row.again or retried,
                request_ids=request_ids,
            )
            for position, (row, result) in enumerate(zip(batch.rows, results, strict=True))
        ]

    def _outcome(self, result: RowResult) -> Outcome:
        if self.error is None:
            return "written" if result.written else "rejected"
        if isinstance(self.error, BatchRefused):
            return "rejected"
        return "not sent" if self.certain else "unknown"


def send(write: Write, batch: Batch) -> BatchAnswer:
    """Write a batch and wait for its answer."""
    answer = BatchAnswer()
    began = time.monotonic()
    try:
        answer.results = write(batch.rows, answer.attempts.append)
    except VendorError as error:
        answer.error = error
    except stopping.Stopped:  # before the request was sent, or while its answer was awaited
        answer.error = stopped_early()
    answer.took = time.monotonic() - began
    if answer.error is None and len(answer.results) != len(batch.rows):
        answer.error = _mismatch(len(answer.results), len(batch.rows))
        answer.attempts.append(Attempt(0.0, lost=answer.error.message))
    return answer


def _mismatch(results: int, rows: int) -> TransientError:
    """The error for a wrong number of results, which cannot be matched with the rows."""
    return TransientError(
        f"the destination gave {results} results for {rows} rows", remedy="Correct the destination's code."
    )


def stopped_early() -> TransientError:
    """The error for a delivery that ends because the process is stopped."""
    return TransientError("stopped before everything was sent", remedy="Run it again: the rest will be sent.")
