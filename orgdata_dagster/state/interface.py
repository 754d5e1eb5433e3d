"""The interface of the stores of shared state.

Here: `State` and its parts, as protocols. Add here when: processes have to share another kind of data.
Keep out: the stores themselves (files.py, postgres/).

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
    """The store cannot be used. `str()` is one line with the reason and the remedy."""


class Held(Protocol):
    """A lock that this process holds."""

    def release(self) -> None:
        """Give the lock back. Further calls do nothing."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock or claim, or that held it when it died.

    process: its `identity`, see processes.py.
    since: when it took the lock or claim (UTC).
    alive: whether it is alive.
    seen: when it was last known to be alive (UTC); None if the store does not record this.
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
        """Add a note unless this key exists; returns whether it was added. Of several processes, only one adds it."""

    def remove(self, key: str) -> None:
        """Remove a note if it is there."""


class Rows(Protocol):
    """The result of a statement. `rowcount`: number of changed rows."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


class StoreClock(NamedTuple):
    """The store's own time.

    wall: Unix time in seconds.
    boot: changes when the store may have lost its last transactions.
    age: upper bound of the seconds since the store read its clock.
    """

    wall: float
    boot: str
    age: float


class Transaction(Protocol):
    """An open transaction. Statements are in the SQL that all stores understand, with parameters such as `:name`."""

    @property
    def first(self) -> Sequence[Sequence[Any]]:
        """The rows of each query in `first`, see Tables.run."""

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run a statement now."""

    def change(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement whose result is not needed, at the latest before the next `execute` or the commit."""

    def insert(self, statement: str, parameters: Mapping[str, Any]) -> int:
        """Insert one row with a new `:id`, like `change`; returns the id. Ids increase."""

    def clock(self) -> StoreClock | None:
        """The store's time, which all processes use; None if they use their machine's clocks."""


class Tables(Protocol):
    """A few small tables that processes change one after the other."""

    def exists(self) -> bool:
        """Whether the tables have been used."""

    def run(self, work: Callable[[Transaction], T], first: Sequence[str] = ()) -> T:
        """Run `work(transaction)` in one exclusive transaction; commit when it returns, roll back when it raises.

        first: queries to run at the beginning, in the same message to a remote store; see Transaction.first.

        Raises StateUnavailable.
        """

    def change(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run one statement in a transaction that is not exclusive. Raises StateUnavailable."""


class State(Protocol):
    """A store of shared state. All locks end with the process that holds them, also after a crash."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values in the store's address that must never be shown."""

    def describe(self) -> str:
        """Check that the store can be used; returns its place as text. Raises StateUnavailable."""

    def lock(
        self, name: str, *, waiting: Callable[[], None] | None = None, patience: float | None = None
    ) -> AbstractContextManager[None]:
        """Hold an exclusive lock until the context ends; waits until it is free.

        waiting: called after 2 seconds of waiting, and again every minute.
        patience: seconds after which to give up; None for no limit.

        Raises StillHeld when `patience` is over.
        """

    def claim(self, name: str) -> Held | None:
        """Claim something that is claimed only once, such as a run; None if it is claimed already."""

    def holder(self, name: str) -> Holder | None:
        """The process that holds the lock or claim, or held it when it died; None if it is free or was released."""

    def revoke(self, name: str) -> bool:
        """Permanently take a claim away from a dead holder; returns False if the holder is alive after all."""

    def forget(self, name: str) -> None:
        """Remove the record of a revoked or released claim."""

    def lease(self, names: Sequence[str]) -> Held | None:
        """Take one of these locks for a short time; None if all are taken."""

    def notes(self, kind: str) -> Notes:
        """The notes of a kind."""

    def tables(self, name: str, schema: str) -> Tables:
        """The tables of this name. schema: the statements that create them, with `{id}` as the type of an id."""
