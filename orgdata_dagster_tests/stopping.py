"""Waiting for something while the process is asked to stop.

Here: `stopped`, and `terminated_at_lock`. Add here when: tests of two folders need it.
Keep out: processes that receive signals (integration/).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from orgdata_dagster.state import stopping
from orgdata_dagster_tests.waiting import wait_until

NONE_NEEDED = 20.0  # where a wait has to end at once: longer than `stopped` waits for it


def stopped(
    work: Callable[[], object], *, grace: float = NONE_NEEDED, under_way: Callable[[], object] = lambda: True
) -> float:
    """Do the work in a thread, stop the process once it is under way; the seconds until the thread has ended.

    Needs the fixture `goes_on`.
    """
    ended: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - checked below
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(under_way)
    time.sleep(0.1)
    assert thread.is_alive(), ended
    began = time.monotonic()
    stopping.stop(grace)
    thread.join(15)
    took = time.monotonic() - began
    assert [type(error) for error in ended] == [stopping.Stopped]
    return took


@contextmanager
def terminated_at_lock(lock: Callable[[], AbstractContextManager[object]]) -> Iterator[threading.Thread]:
    """A thread, which it yields, holds the lock until the block ends. SIGTERM comes once the block waits for it."""
    held, ended = threading.Event(), threading.Event()

    def hold() -> None:
        with lock():
            held.set()
            ended.wait(60)

    def terminate() -> None:
        def waits() -> bool:
            return ended.is_set() or any(thread.name == "lock-waiting" for thread in threading.enumerate())

        wait_until(waits, "the wait")
        if not ended.is_set():  # after the block, the signal would end the tests
            os.kill(os.getpid(), signal.SIGTERM)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    threading.Thread(target=terminate, daemon=True).start()
    try:
        yield holder
    finally:
        ended.set()
        holder.join()
