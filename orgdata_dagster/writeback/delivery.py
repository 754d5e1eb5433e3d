"""Sending batches, several at a time, until all are settled or it is clear that going on would not help.

Here: which batch goes when, and what follows from each answer. Add here: another answer that asks for another step.
Keep out: one request (batch.py), records (journal.py).

| answer                        | what follows                                                               |
|-------------------------------|----------------------------------------------------------------------------|
| each row's own fate           | written or rejected, row by row                                            |
| 400 or 413 for the batch      | its halves go by themselves, until the guilty rows are alone               |
| 423, the dataset is busy      | nothing goes for 5 s, then one batch goes first; after `patience` it ends  |
| no answer, 429, 5xx           | the client has tried again; if that did not help, it ends                  |
| 401, 403, 404                 | it ends                                                                    |
| none, the process is stopped  | it ends; what may have arrived goes again with the next run                |

The first batch goes alone too: a wrong key, a dataset that cannot be written or a column that nobody knows costs one
request. What was sent is settled before a delivery ends; what was not is left for the next run.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from orgdata_dagster.http import stopping
from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.errors import PermanentError, TransientError, VendorError
from orgdata_dagster.orchestration.assets.interrupts import threads
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.writeback.batch import Reply, Send, send, told_to_stop
from orgdata_dagster.writeback.definition import Row
from orgdata_dagster.writeback.journal import Batch, Journal, Settled

BUSY = 423
_SPLITS = (400, 413)
_MOST_AT_ONCE = 16
_HOPELESS = 10  # rows refused, and none written


@dataclass(frozen=True)
class Pace:
    """`spacing`: seconds between two requests that the limits allow in the long run. A busy dataset is asked again
    after `busy_wait` seconds, for `patience` seconds in all."""

    spacing: float
    busy_wait: float = 5
    patience: float = 600
    clock: Clock = SYSTEM


@dataclass
class Tally:
    """What was done so far; `rejected` includes what the validation rejected."""

    rejected: int = 0
    refused: int = 0
    written: int = 0
    not_sent: int = 0
    unknown: int = 0
    again: int = 0
    batches: int = 0
    ended_by: VendorError | None = None


@dataclass
class Delivery:
    """The delivery of one run. `most_rejected`: so many rejected rows are borne; `progress` is told after each step."""

    send: Send
    journal: Journal
    pace: Pace
    most_rejected: int
    progress: Callable[[Tally], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _width: int = 1
    _not_before: float = 0.0
    _busy_since: float | None = None
    _waiting: deque[Batch] = field(default_factory=deque)
    _exhausted: bool = False  # no more rows to come, but for those that wait
    _last: str | None = None  # reason of a refusal

    def deliver(self, rows: Iterator[list[Row]]) -> Tally:
        """Send the batches. What ended it early, if anything did, is in the tally."""
        going: dict[Future[Reply], Batch] = {}
        settled: list[Settled] = []
        self._check()
        with threads(_MOST_AT_ONCE, "sync") as pool:
            while True:
                if stopping.stopping():
                    self._end(told_to_stop())
                begun = list(itertools.islice(self._next(rows), max(0, self._width - len(going))))
                self.journal.write(settled, begun)
                self.progress(self.tally)
                for batch in begun:
                    going[pool.submit(send, self.send, batch)] = batch
                if not going and (self.tally.ended_by or (self._exhausted and not self._waiting)):
                    return self.tally
                settled = self._settled(going)
                while len(going) > self._width // 2:  # a transaction costs more than a request: make it for several
                    settled += self._settled(going)

    def _next(self, rows: Iterator[list[Row]]) -> Iterator[Batch]:
        """The batches that may go now."""
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

    def _settled(self, going: dict[Future[Reply], Batch]) -> list[Settled]:
        """Wait for answers, or for the end of the pause."""
        if not going:
            self.pace.clock.sleep(self._not_before - self.pace.clock.monotonic())
            return []
        done, _ = wait(going, return_when=FIRST_COMPLETED)
        settled = [self._settle(going.pop(future), future.result()) for future in done]
        return [each for each in settled if each is not None]

    def _settle(self, batch: Batch, reply: Reply) -> Settled | None:
        """What follows from a reply; None where the batch goes again as it is, and stays noted as in flight."""
        error = reply.error
        if error is None:
            self._busy_since, self._width = None, self._widest(reply.seconds)
        elif error.status == BUSY:
            return self._busy(batch, reply)
        elif error.status in _SPLITS and len(batch.rows) > 1:
            rows, middle = reply.carried_over(batch).rows, len(batch.rows) // 2
            self._waiting.extendleft(_batch(half) for half in (rows[middle:], rows[:middle]))
            return Settled(batch, [], reply.known)
        settled = Settled(batch, reply.results(batch, alone=error is not None and error.status in _SPLITS), reply.known)
        self._count(settled)
        if error is not None and error.status not in _SPLITS:
            self._end(error)
        self._check()
        return settled

    def _busy(self, batch: Batch, reply: Reply) -> Settled | None:
        now = self.pace.clock.monotonic()
        self._busy_since = now if self._busy_since is None else self._busy_since
        self._width, self._not_before = 1, now + self.pace.busy_wait
        if (busy := now - self._busy_since) < self.pace.patience:
            self._waiting.appendleft(reply.carried_over(batch))
            return None
        assert reply.error is not None
        settled = Settled(batch, reply.results(batch), reply.known)
        self._count(settled)
        self._end(
            TransientError(
                f"the dataset was busy for {busy:.0f} s: {reply.error.message}",
                vendor=OctolisResource.vendor,
                endpoint=reply.error.endpoint,
                status=BUSY,
                remedy="Run it again when nobody changes the dataset in octolis; what is not yet there, will be sent.",
            )
        )
        return settled

    def _widest(self, seconds: float) -> int:
        """As many requests at once as answers that take so long need, and not more: those that wait for the rate limit
        could not be called back."""
        return min(_MOST_AT_ONCE, 3 + math.ceil(seconds / self.pace.spacing))

    def _count(self, settled: Settled) -> None:
        outcomes = [result.outcome for result in settled.results]
        self.tally.batches += 1
        self.tally.written += outcomes.count("written")
        self.tally.refused += outcomes.count("rejected")
        self.tally.rejected += outcomes.count("rejected")
        self.tally.not_sent += outcomes.count("not sent")
        self.tally.unknown += outcomes.count("unknown")
        self.tally.again += sum(result.again is not None for result in settled.results)
        self._last = next((result.reason for result in settled.results if result.outcome == "rejected"), self._last)

    def _check(self) -> None:
        """End it when too many rows were rejected, or all."""
        reason = f" The last reason: {self._last}." if self._last else ""
        if self.tally.refused >= _HOPELESS and not self.tally.written:
            self._end(_stopped(f"octolis refused all of the first {self.tally.refused} rows.{reason}"))
        elif self.tally.rejected > self.most_rejected:
            allowed = f"max_rejected allows {self.most_rejected}"
            self._end(_stopped(f"{self.tally.rejected} rows are rejected, and {allowed}.{reason}"))

    def _end(self, error: VendorError) -> None:
        self.tally.ended_by = self.tally.ended_by or error


def _batch(rows: Sequence[Row]) -> Batch:
    return Batch(uuid.uuid4().hex, rows)


def _stopped(why: str) -> PermanentError:
    return PermanentError(
        why,
        vendor=OctolisResource.vendor,
        remedy="Look at the results table, correct the source or the mapping, and run it again.",
    )
