"""The open sockets, which are shut down when the process is asked to stop.

Here: `connected`. Add here when: a connection is not a network stream of httpcore.
Keep out: the request to stop (state/stopping.py), connecting (transport.py).

A thread that is blocked in a read cannot be interrupted. Shutting its socket down ends the read.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from orgdata_dagster.state import stopping

_sockets: WeakSet[socket.socket] = WeakSet()
_lock = threading.Lock()


def connected(stream: Any) -> None:
    """Register a new connection (a network stream of httpcore), so that a read on it can be ended."""
    if isinstance(found := stream.get_extra_info("socket"), socket.socket):
        with _lock:
            _sockets.add(found)
        if stopping.stopping():
            _shut(found)


def _shut_all() -> None:
    with _lock:
        sockets = [*_sockets]
    for each in sockets:
        _shut(each)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # closed meanwhile
        # the base class's method: SSLSocket's own discards the TLS session that the reading thread still uses
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


stopping.at_cut(_shut_all)
