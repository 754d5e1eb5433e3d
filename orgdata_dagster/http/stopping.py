"""Stopping threads that wait for the network or for a rate limit.

Here: the process's request to stop, an interruptible sleep, and the sockets that are closed.
Add here when: another kind of wait in `http/` has to end when the process is asked to stop.
Keep out: signals and exit statuses (cli/), and what happens to a run (orchestration/).

A thread cannot be interrupted from outside. Every wait in `http/` therefore sleeps here, and a thread that is blocked
in a read is woken by shutting its socket down. `Stopped` is a BaseException, so that no handler of vendors' errors
catches it.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

GRACE = 0.5  # seconds that exchanges in progress get to finish

_requested = threading.Event()
_cut = threading.Event()
_sockets: WeakSet[socket.socket] = WeakSet()
_lock = threading.Lock()


class Stopped(BaseException):
    """The process was asked to stop while this thread waited."""


def stop(grace: float = GRACE) -> None:
    """End every wait now, and every exchange in progress after `grace` seconds. Further calls do nothing."""
    if not _requested.is_set():
        _requested.set()
        timer = threading.Timer(grace, _hang_up)
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
    """Raise Stopped if exchanges in progress were ended: a body that ends with its connection may be incomplete."""
    if _cut.is_set():
        raise Stopped


def sleep(seconds: float) -> None:
    """Wait this many seconds. Raises Stopped as soon as the process is asked to stop."""
    if _requested.wait(seconds):
        raise Stopped


def connected(stream: Any) -> None:
    """Register a new connection (a network stream of httpcore), so that a read on it can be ended."""
    if isinstance(found := stream.get_extra_info("socket"), socket.socket):
        with _lock:
            _sockets.add(found)
        if _requested.is_set():
            _shut(found)


def _hang_up() -> None:
    if not _requested.is_set():
        return
    _cut.set()
    with _lock:
        sockets = [*_sockets]
    for each in sockets:
        _shut(each)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile
        # the base class's method: SSLSocket's own discards the TLS session that the reading thread still uses
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
