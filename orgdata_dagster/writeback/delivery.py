"""Sending batches, several at a time, until all are answered or an answer shows that continuing is pointless.

Here: when each batch is sent, and the engine's reaction to each answer. Add here: another answer that needs another
reaction. Keep out: one batch (batch.py), records (journal.py).

| answer                            | reaction                                                                      |
|-----------------------------------|-------------------------------------------------------------------------------|
| one result per row                | record them                                                                   |
| the batch is refused as a whole   | send its halves separately, until the invalid rows are alone                  |
| the destination is busy           | pause, then send one batch alone; give up after `Pace.patience` seconds       |
| any other error                   | end: the client has retried already, or a retry cannot help                   |
| none, because the process stops   | end: the next run sends again the rows that may have arrived                  |

The first batch is also sent alone, so that a wrong API key, a read-only destination or an unknown column costs only one
request. A delivery ends when every batch that was sent is answered; the next run sends the rest.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from orgdata_dagster.counting import counted
from orgdata_dagster.http.errors import PermanentError, TransientError, VendorError
from orgdata_dagster.orchestration.assets.interrupts import threads
from orgdata_dagster.state import stopping
from orgdata_dagster.writeback.batch import Batch, BatchAnswer, send, stopped_early
from orgdata_dagster.writeback.destination import BatchRefused, Busy, Pace, Row, Write
from orgdata_dagster.writeback.journal import Completed, Journal

_HOPELESS = 10  # stop if this many rows are refused and none is written


@dataclass
class Tally:
    """Numbers of rows per outcome so far, and numbers of batches and requests.

    rejected: rows that the validation or the destination rejected.
    refused: rows that the destination rejected.
    again: rows that the destination may have received more than once.
    ended_by: the error that ended the delivery early; None otherwise.
    """

    rejected: int = 0
    refused: int = 0
    written: int = 0
    not_sent: int = 0
    unknown: int = 0
    again: int = 0
    batches: int = 0
    requests: int = 0
    ended_by: VendorError | None = None


@dataclass
class Delivery:
    """The delivery of one run.

    vendor: the destination's name in messages.
    most_rejected: the delivery stops if more rows are rejected.
    progress: called after each step.
    """

    vendor: str
    write: Write
    journal: Journal
    pace: Pace
    most_rejected: int
    progress: Callable[[Tally], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _width: int = 1  # number of batches that may be in flight at once
    _not_before: float = 0.0  # end of the pause
    _busy_since: float | None = None
    _waiting: deque[Batch] = field(default_factory=deque)  # to send again, or halves of batches
    _exhausted: bool = False  # the source has no more rows
    _last_reason: str | None = None  # why the last rejected row was refused

    def deliver(self, rows: Iterator[list[Row]]) -> Tally:
        """Send the batches. If an error ends the delivery early, it is in the tally."""
        sent: dict[Future[BatchAnswer], Batch] = {}
        completed: list[Completed] = []
        self._check()
        with threads(self.pace.at_once, "sync") as pool:
            while True:
                if stopping.stopping():
                    self._end(stopped_early())
                begun = list(itertools.islice(self._next(rows), max(0, self._width - len(sent))))
                self.journal.record(completed, begun)
                self.progress(self.tally)
                for batch in begun:
                    sent[pool.submit(send, self.write, batch)] = batch
                if not sent and (self.tally.ended_by or (self._exhausted and not self._waiting)):
                    return self.tally
                completed = self._answered(sent)
                while len(sent) > self._width // 2:  # a transaction takes longer than a request: share it
                    completed += self._answered(sent)

    def _next(self, rows: Iterator[list[Row]]) -> Iterator[Batch]:
        """The batches that may be sent now."""
        while not self.tally.ended_by and not self._pausing():
            if self._waiting:
                yield self._waiting.popleft()
            elif following := next(rows, None):
                yield _batch(following)
            else:
                self._exhausted = True
                return

    def _pausing(self) -> bool:
        return self.pace.clock.monotonic() < self._not_before

    def _answered(self, sent: dict[Future[BatchAnswer], Batch]) -> list[Completed]:
        """Wait for answers, or for the end of the pause, and react to them."""
        if not sent:
            self.pace.clock.sleep(self._not_before - self.pace.clock.monotonic())
            return []
        done, _ = wait(sent, return_when=FIRST_COMPLETED)
        completed = [self._react(sent.pop(future), future.result()) for future in done]
        return [each for each in completed if each is not None]

    def _react(self, batch: Batch, answer: BatchAnswer) -> Completed | None:
        """React to an answer. Returns None if the same batch will be sent again, and stays in flight until then."""
        error = answer.error
        self.tally.requests += len(answer.attempts)
        if isinstance(error, Busy):
            return self._wait_or_give_up(batch, answer, error)
        if isinstance(error, BatchRefused) and len(batch.rows) > 1:
            rows, middle = answer.carried_over(batch).rows, len(batch.rows) // 2
            self._waiting.extendleft(_batch(half) for half in (rows[middle:], rows[:middle]))
            return Completed(batch, [], answer.certain)
        if error is None:
            self._busy_since, self._width = None, self._widest(answer.seconds)
        elif not isinstance(error, BatchRefused):
            self._end(error)
        return self._counted(batch, answer)

    def _wait_or_give_up(self, batch: Batch, answer: BatchAnswer, error: Busy) -> Completed | None:
        now = self.pace.clock.monotonic()
        self._busy_since = now if self._busy_since is None else self._busy_since
        self._width, self._not_before = 1, now + self.pace.busy_wait
        if (busy := now - self._busy_since) < self.pace.patience:
            self._waiting.appendleft(answer.carried_over(batch))
            return None
        self._end(
            TransientError(
                f"busy for {busy:.0f} s: {error.message}",
                vendor=error.vendor,
                endpoint=error.endpoint,
                status=error.status,
                remedy=error.remedy,
            )
        )
        return self._counted(batch, answer)

    def _widest(self, seconds: float) -> int:
        """The number of batches in flight if an answer takes this many seconds.

        No more than needed to use the rate limit: if the process is killed, the outcome of each of them is unknown.
        """
        wanted = 3 + math.ceil(seconds / self.pace.spacing) if self.pace.spacing else self.pace.at_once
        return min(self.pace.at_once, wanted)

    def _counted(self, batch: Batch, answer: BatchAnswer) -> Completed:
        """Add a batch to the tally; returns it as completed."""
        completed = Completed(batch, answer.outcomes(batch), answer.certain)
        outcomes = [each.outcome for each in completed.outcomes]
        self.tally.batches += 1
        self.tally.written += outcomes.count("written")
        self.tally.refused += outcomes.count("rejected")
        self.tally.rejected += outcomes.count("rejected")
        self.tally.not_sent += outcomes.count("not sent")
        self.tally.unknown += outcomes.count("unknown")
        self.tally.again += sum(each.again is not None for each in completed.outcomes)
        reasons = (each.result.reason for each in completed.outcomes if each.outcome == "rejected")
        self._last_reason = next(reasons, self._last_reason)
        self._check()
        return completed

    def _check(self) -> None:
        """End the delivery if too many rows are rejected, or all of them."""
        if self.tally.refused >= _HOPELESS and not self.tally.written:
            self._end(self._stopped(f"{self.vendor} refused all of the first {self.tally.refused} rows"))
        elif self.tally.rejected > self.most_rejected:
            message = (
                f"{counted(self.tally.rejected, 'row', 'are')} rejected, and max_rejected allows {self.most_rejected}"
            )
            self._end(self._stopped(message))

    def _stopped(self, why: str) -> PermanentError:
        last = f". The last reason: {self._last_reason}" if self._last_reason else ""
        remedy = "Look at the results table, correct the source or the mapping, and run it again."
        return PermanentError(why + last, remedy=remedy)

    def _end(self, error: VendorError) -> None:
        self.tally.ended_by = self.tally.ended_by or error


def _batch(rows: Sequence[Row]) -> Batch:
    return Batch(uuid.uuid4().hex, rows)
