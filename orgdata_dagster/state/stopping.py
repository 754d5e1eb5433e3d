"""The process's request to stop, which ends the waits of its threads.

Here: the request, an interruptible sleep, and what is called after the grace period.
Add here when: another kind of wait, which is not about a lock or the network, has to end.
Keep out: sockets (http/sockets.py), locks (file_lock.py), signals and exit statuses (cli/), and what happens to a run
(orchestration/).

A thread cannot be interrupted from outside. Waits for a vendor's rate limit therefore sleep here and end at once.
Exchanges in progress and waits for locks end after a grace period, so that what has been pulled can still be committed.
`Stopped` is a BaseException, so that no handler of vendors' or database errors catches it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

GRACE = 0.5  # seconds that exchanges in progress and waits for locks get to finish

_requested = threading.Event()
_cut = threading.Event()
_on_cut: list[Callable[[], None]] = []


class Stopped(BaseException):
    """The process was asked to stop while this thread waited."""


def stop(grace: float = GRACE) -> None:
    """End every wait: most of them now, the others after `grace` seconds. Further calls do nothing."""
    if not _requested.is_set():
        _requested.set()
        timer = threading.Timer(grace, _end_grace)
        timer.daemon = True
        timer.start()


def resume() -> None:
    """Withdraw the request after everything has stopped, for a process that continues."""
    _requested.clear()
    _cut.clear()


def stopping() -> bool:
    """Whether the process was asked to stop."""
    return _requested.is_set()


def check() -> None:
    """Raise Stopped if the process was asked to stop."""
    if _requested.is_set():
        raise Stopped


def check_cut() -> None:
    """Raise Stopped if the grace period is over: exchanges in progress were ended, so a body may be incomplete."""
    if _cut.is_set():
        raise Stopped


def sleep(seconds: float) -> None:
    """Wait this many seconds. Raises Stopped as soon as the process is asked to stop."""
    if _requested.wait(seconds):
        raise Stopped


def sleep_until_cut(seconds: float) -> None:
    """Wait this many seconds. Raises Stopped as soon as the grace period is over."""
    if _cut.wait(seconds):
        raise Stopped


def at_cut(action: Callable[[], None]) -> None:
    """Call `action` at the end of every grace period, in a thread of its own."""
    _on_cut.append(action)


def _end_grace() -> None:
    if _requested.is_set():
        _cut.set()
        for action in _on_cut:
            action()
