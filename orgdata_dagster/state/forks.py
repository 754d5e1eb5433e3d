"""Cleaning up in a forked child process.

Here: `watch`, for objects with a file lock, a SQLite connection or a thread lock, which do not survive a fork.
Keep out: the clean-up of each object, which is its own `forget`.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """An object that parent and child must not share after a fork."""

    def forget(self) -> None:
        """Release the object in the child, right after a fork, without affecting the parent."""


_watched: WeakSet[Forgetful] = WeakSet()


def watch(thing: Forgetful) -> None:
    """Call `thing.forget()` in every child that is forked while the object exists."""
    _watched.add(thing)


def _forget_all() -> None:
    for thing in list(_watched):
        thing.forget()


os.register_at_fork(after_in_child=_forget_all)
