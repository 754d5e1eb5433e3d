"""What every store of shared state can do.

Here: `State` and its parts, as protocols. Add here when: processes have to share a new kind of thing.
Keep out: the stores themselves (files.py).

Names have parts that are separated by slashes, such as `rate_limits/octolis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class StateUnavailable(Exception):
    """The store cannot be used. `str()` is one line that says why, and what to do."""


class Held(Protocol):
    """A lock that this process holds."""

    def release(self) -> None:
        """Give the lock back. Further calls do nothing."""


@dataclass(frozen=True)
class Holder:
    """Who holds a claim, or held it until it died.

    process: its `identity`, see processes.py.
    since: when it took the claim (UTC).
    seen: when it was last known to be alive (UTC); None if the store does not know.
    """

    process: str
    since: datetime
    alive: bool
    seen: datetime | None = None


class Notes(Protocol):
    """Short texts by key, such as circuit breakers."""

    def read(self, key: str) -> str | None:
        """The text; None if there is no such note."""

    def add(self, key: str, text: str = "") -> bool:
        """Add a note unless there is one with this key; returns whether it was added. Only one process adds it."""

    def remove(self, key: str) -> None:
        """Remove a note if it is there."""


class Rows(Protocol):
    """The answer to a statement. rowcount: number of changed rows."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class StoreClock(NamedTuple):
    """The store's own time.

    wall: Unix time in seconds. boot: changes when the store may have lost its last transactions.
    age: seconds since the store read its clock, at most; more if the answer took long.
    """

    wall: float
    boot: str
    age: float


class Transaction(Protocol):
    """An open transaction. Statements are in the SQL that all stores understand, with parameters such as `:name`."""

    @property
    def first(self) -> Sequence[Sequence[Any]]:
        """The rows of each query that was to be read with the beginning, see Tables.run."""

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run a statement now."""

    def change(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement before the next one that is executed, or before the commit: its answer is not needed."""

    def insert(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Insert one row, whose `:id` is made here, like `change`; returns the id. Ids increase."""

    def clock(self) -> StoreClock | None:
        """The store's time, which counts for all processes. None: the machine's clocks count."""


class Tables(Protocol):
    """A few small tables that processes change one after the other."""

    def exists(self) -> bool:
        """Whether the tables have been used."""

    def run(self, work: Callable[[Transaction], T], first: Sequence[str] = ()) -> T:
        """Run `work(transaction)` in one exclusive transaction; commit when it returns, roll back when it raises.

        first: queries to read with the beginning, in the same message to a distant store; see Transaction.first.

        Raises StateUnavailable.
        """

    def change(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run one statement in a transaction that is not exclusive. Raises StateUnavailable."""


class State(Protocol):
    """A store of shared state. All locks end with the process that holds them, however it ends."""

    def describe(self) -> str:
        """Where the state is, in words, after a look whether it can be used. Raises StateUnavailable."""

    def lock(
        self, name: str, *, waiting: Callable[[], None] | None = None, patience: float | None = None
    ) -> AbstractContextManager[None]:
        """Hold an exclusive lock until the context ends; waits until it is free.

        waiting: called after seconds of waiting, and again every minute.
        patience: seconds after which to give up; None: never.

        Raises StillHeld when `patience` is over.
        """

    def claim(self, name: str) -> Held | None:
        """Claim something that is never claimed again after its release, such as a run; None if it is claimed."""

    def holder(self, name: str) -> Holder | None:
        """Who holds the lock or claim, or died with it; None if nobody holds it, or it was released."""

    def revoke(self, name: str) -> bool:
        """Take a claim away from a dead holder for good; False if the holder is alive after all."""

    def forget(self, name: str) -> None:
        """Remove what is known of a revoked or released claim."""

    def lease(self, names: Sequence[str]) -> Held | None:
        """Take a free one of these locks for a moment; None if all are taken."""

    def notes(self, kind: str) -> Notes:
        """The notes of a kind."""

    def tables(self, name: str, schema: str) -> Tables:
        """The tables of this name. schema: the statements that create them, with `{id}` as the type of an id."""
