"""What a forked child must forget.

Here: `watch`, for things holding a file lock, a SQLite connection or a thread lock: none survives a fork.
Add here when: never, most likely.
Keep out: what exactly is to be forgotten; each thing knows that itself.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forgetful(Protocol):
    """Something that a fork would leave half shared between parent and child."""

    def forget(self) -> None:
        """Called in the child right after a fork: let go without touching what the parent holds."""


_watched: WeakSet[Forgetful] = WeakSet()


def watch(thing: Forgetful) -> None:
    """See to it that `thing.forget()` runs in every child forked while the thing is alive."""
    _watched.add(thing)


def _forget_all() -> None:
    for thing in list(_watched):
        thing.forget()


os.register_at_fork(after_in_child=_forget_all)
