"""Stopping what waits for the network or for a rate limit, from another thread.

What lives here: the process's one request to stop, sleeping that it interrupts, and the sockets that it closes.
Add here when: another kind of waiting in `http/` has to end when the process is told to stop.
Keep out: signals and exit statuses (`cli/`), what becomes of a run (`orchestration/`).

A thread cannot be interrupted from outside: it has to ask. So every wait in `http/` sleeps here, and a thread that is
blocked in a read is woken by shutting its socket down. What it raises is a BaseException, which no code that handles
vendors' errors takes for one of theirs.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

GRACE = 0.5  # seconds for exchanges under way: an answer that is nearly there is not thrown away

_asked = threading.Event()
_sockets: WeakSet[socket.socket] = WeakSet()
_lock = threading.Lock()


class Stopped(BaseException):
    """The process was told to stop while this thread waited."""


def stop(grace: float = GRACE) -> None:
    """End every wait now, and every exchange under way after `grace` seconds. Calling it again does nothing."""
    if not _asked.is_set():
        _asked.set()
        timer = threading.Timer(grace, _hang_up)
        timer.daemon = True
        timer.start()


def resume() -> None:
    """Take the request back, once everything that it should stop has ended; for a process that goes on."""
    _asked.clear()


def stopping() -> bool:
    """Whether the process was told to stop."""
    return _asked.is_set()


def check() -> None:
    """Raise Stopped if the process was told to stop."""
    if _asked.is_set():
        raise Stopped


def sleep(seconds: float) -> None:
    """Wait so many seconds. Raises Stopped as soon as the process is told to stop."""
    if _asked.wait(seconds):
        raise Stopped


def connected(stream: Any) -> None:
    """Note a new connection (a network stream of httpcore), so that a read on it can be ended."""
    if isinstance(found := stream.get_extra_info("socket"), socket.socket):
        with _lock:
            _sockets.add(found)
        if _asked.is_set():
            _shut(found)


def _hang_up() -> None:
    if not _asked.is_set():
        return
    with _lock:
        sockets = [*_sockets]
    for each in sockets:
        _shut(each)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile
        # of the base class: SSLSocket's own method forgets the TLS session that the reading thread still uses
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
