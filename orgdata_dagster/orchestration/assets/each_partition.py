"""Pulling all partitions of a step in threads, and committing them in batches.

Here: `each_partition`: which thread pulls which partition, when a batch is committed, and which error ends the step.
Keep out: pulling and committing (landing.py), when a batch is complete (batches.py).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from orgdata_dagster.orchestration.assets.batches import LONGEST, Batches
from orgdata_dagster.orchestration.assets.failures import ends_run
from orgdata_dagster.orchestration.assets.intake import Arrival, Pull
from orgdata_dagster.orchestration.assets.interrupts import all_ended, threads
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.warehouse.errors import UnreadablePage

MOST_PARTITIONS, _MOST_ROWS = 400, 250_000  # per commit; usually a batch ends earlier because of its time


class Landing(Protocol):
    """What a step does with its partitions; see landing.py."""

    def arrive(self, partition: str | None, pull: Pull) -> Arrival: ...
    def arrive_again(self, partition: str | None, pull: Pull, error: UnreadablePage) -> Arrival: ...
    def commit(self, arrivals: Sequence[Arrival]) -> Mapping[str | None, Exception]: ...
    def warn(self, partition: str | None, text: str) -> None: ...


def each_partition(
    step: Landing, partitions: Sequence[str | None], pull: Pull, workers: int
) -> tuple[dict[str | None, BaseException], int]:
    """Pull and commit every partition; returns partition -> error, and the number of partitions that were not tried."""
    errors: dict[str | None, BaseException] = {}
    ended = threading.Event()
    ahead, tried = iter(partitions), list[str | None]()
    arrived = Batches[Arrival](MOST_PARTITIONS, _MOST_ROWS)

    def work() -> None:
        for partition in ahead:  # the threads share the iterator
            if ended.is_set():
                return
            tried.append(partition)
            attempt(partition)

    def attempt(partition: str | None) -> None:
        try:
            arrival = step.arrive(partition, pull)
        except Exception as error:  # noqa: BLE001 - is reported with the errors of the other partitions
            note(partition, error)
        else:
            # in the thread that completed the batch, so that pulls wait if commits are slower
            commit(arrived.add(arrival, arrival.intake.row_count))

    def commit(arrivals: Sequence[Arrival]) -> None:
        for partition, error in step.commit(arrivals).items() if arrivals else ():
            if isinstance(error, UnreadablePage):
                repeat(partition, error)
            else:
                note(partition, error)

    def repeat(partition: str | None, error: UnreadablePage) -> None:
        """Pull a partition again whose malformed page was found by its commit: its rows had not been converted."""
        try:
            arrival = step.arrive_again(partition, pull, error)
        except Exception as again:  # noqa: BLE001 - is reported with the errors of the other partitions
            note(partition, again)
        else:
            commit([arrival])

    def note(partition: str | None, error: BaseException) -> None:
        if ends_run(error):
            ended.set()  # in this thread, before it starts the next partition
        errors[partition] = error
        step.warn(partition, reason(error))

    try:
        with threads(max(1, workers), "land") as pool:
            try:
                futures = [pool.submit(work) for _ in range(max(1, workers))]
                while not all_ended(futures, LONGEST):
                    commit(arrived.overdue())  # while all threads wait for the vendor's limit
            finally:
                ended.set()  # after an interruption no thread starts another partition
    finally:
        commit(arrived.rest())
    return errors, len(partitions) - len(tried)
