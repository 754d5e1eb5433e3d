"""Locks, claims and leases as rows with the process that holds them.

Here: `Locks`. Add here when: a lock has another property. Keep out: heartbeats (session.py).

The row of a released lock remains without a process, so that taking the lock again updates it in place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from orgdata_dagster.state import stopping
from orgdata_dagster.state.file_lock import NOTIFY_AFTER, NOTIFY_AGAIN_AFTER, StillHeld
from orgdata_dagster.state.interface import Holder
from orgdata_dagster.state.postgres.schema import SCHEMA
from orgdata_dagster.state.postgres.session import Connection, Session

_FIRST_POLL, _LONGEST_POLL = 0.01, 0.25  # seconds
_CHECK_HOLDERS = 1.0  # seconds between two searches for dead holders of the same locks

_TAKE = f"""
UPDATE {SCHEMA}.lock SET process = %(me)s, since = clock_timestamp() WHERE name = (
    SELECT name FROM {SCHEMA}.lock WHERE name = ANY(%(names)s) AND process IS NULL AND NOT revoked
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING name
"""
_MAKE = f"INSERT INTO {SCHEMA}.lock (name) SELECT unnest(%(names)s::text[]) ON CONFLICT DO NOTHING"
# Whether the process of a row is dead: it has been silent, and its session has ended. The probe uses a shared
# lock, so that two processes that probe at the same time do not see each other as the holder. This process is excluded,
# because its own lock would appear free.
_DEAD = (
    "(p.number <> %(me)s AND p.seen < clock_timestamp() - make_interval(secs => %(silence)s)"
    " AND pg_try_advisory_xact_lock_shared(p.number))"
)
_FREE_DEAD = f"""
UPDATE {SCHEMA}.lock SET process = NULL FROM {SCHEMA}.process p
WHERE name = ANY(%(names)s) AND process = p.number AND NOT revoked AND {_DEAD}
"""
_HOLDER = f"""
SELECT p.identity, l.since, p.seen, NOT (l.revoked OR {_DEAD})
FROM {SCHEMA}.lock l JOIN {SCHEMA}.process p ON p.number = l.process WHERE l.name = %(name)s
"""
# Whether another process has been connected for long. Sessions of the state have the names that causes.py gives them.
_SETTLED = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
    AND application_name ~ '^orgdata [^ ]+:[0-9]+$' AND backend_start < clock_timestamp() - make_interval(secs => %s))
"""
_REVOKE = f"""
UPDATE {SCHEMA}.lock SET revoked = true FROM {SCHEMA}.process p
WHERE name = %(name)s AND process = p.number AND (revoked OR {_DEAD})
"""


class HeldLock:
    """A lock that this process holds. `remove`: whether its row is removed when it is released."""

    def __init__(self, session: Session, name: str, *, remove: bool) -> None:
        self._session, self._name, self._remove = session, name, remove
        self._number = session.number

    def release(self) -> None:
        """Give the lock back; see Held."""
        if self._session.number == self._number:  # not in a forked child, which holds nothing
            self._session.release(self._name, self._give_back)

    def _give_back(self, connection: Connection) -> None:
        change = f"DELETE FROM {SCHEMA}.lock" if self._remove else f"UPDATE {SCHEMA}.lock SET process = NULL"
        connection.execute(f"{change} WHERE name = %s AND process = %s AND NOT revoked", (self._name, self._number))


class Locks:
    """The locks of a session. grace: see PostgresState."""

    def __init__(self, session: Session, grace: float) -> None:
        self._session, self._grace = session, grace
        self._made: set[str] = set()
        self._checked: dict[str, float] = {}

    def take(self, names: Sequence[str], *, lasting: bool = False, remove: bool = False) -> HeldLock | None:
        """Take a free one of these locks; None if all are taken.

        lasting: whether this process must stop if the lock was given to another process.
        """

        def work(connection: Connection) -> str | None:
            self._session.register(connection)
            return self._taken(connection, names, lasting=lasting, remove=remove)

        name = self._session.run(work)
        if name is None:
            return None
        if lasting:
            self._session.keep_alive()
        return HeldLock(self._session, name, remove=remove)

    def wait(self, name: str, waiting: Callable[[], None] | None, patience: float | None) -> HeldLock:
        """Take the lock when it is free. Raises StillHeld and stopping.Stopped."""
        began, poll = time.monotonic(), _FIRST_POLL
        next_notice = began + NOTIFY_AFTER
        while (held := self.take([name], lasting=True)) is None:
            now = time.monotonic()
            if patience is not None and now - began >= patience:
                raise StillHeld
            if waiting is not None and now > next_notice:
                waiting()
                next_notice = now + NOTIFY_AGAIN_AFTER
            stopping.sleep_until_cut(poll)
            poll = min(1.5 * poll, _LONGEST_POLL)
        return held

    def holder(self, name: str) -> Holder | None:
        """The holder of the lock; see State."""
        row = self._session.run(lambda found: found.execute(_HOLDER, self._arguments(found, name=name)).fetchone())
        return None if row is None else Holder(row[0], row[1], alive=row[3], seen=row[2])

    def revoke(self, name: str) -> bool:
        """Take the lock away from a dead holder; returns whether it has no holder any more."""
        if self._session.run(lambda found: found.execute(_REVOKE, self._arguments(found, name=name)).rowcount):
            return True
        return self.holder(name) is None

    def forget(self, name: str) -> None:
        """Remove the row."""
        self._session.run(lambda connection: connection.execute(f"DELETE FROM {SCHEMA}.lock WHERE name = %s", (name,)))

    def _arguments(self, connection: Connection, **others: object) -> dict[str, object]:
        """Parameters of a statement that looks for dead holders.

        During an outage of the server nobody has a heartbeat, and afterwards no session. The other processes therefore
        get the time to come back, unless one has been silent for so long that it has given up itself. There was no
        outage if this process or another one has been connected for long.
        """
        settled = self._session.connected_for() >= self._grace
        if not settled and (row := connection.execute(_SETTLED, (self._grace,)).fetchone()):
            settled = bool(row[0])
        silence = self._grace if settled else max(self._grace, self._session.patience)
        return {"me": self._session.number, "silence": silence, **others}

    def _taken(self, connection: Connection, names: Sequence[str], *, lasting: bool, remove: bool) -> str | None:
        arguments = {"me": self._session.number, "names": list(names)}
        row = connection.execute(_TAKE, arguments).fetchone()
        if row is None and self._may_become_free(connection, names, remove=remove):
            row = connection.execute(_TAKE, arguments).fetchone()
        if row is None:
            return None
        self._session.held[row[0]] = lasting
        return str(row[0])

    def _may_become_free(self, connection: Connection, names: Sequence[str], *, remove: bool) -> bool:
        """Create missing rows, and free the locks of dead processes; returns whether there were any.

        For known names this is done once a second: rows that were not used for days are removed (schema.py).
        """
        now = time.monotonic()
        new = remove or any(name not in self._made for name in names)
        if not new and now - self._checked.get(names[0], -_CHECK_HOLDERS) < _CHECK_HOLDERS:
            return False
        self._checked[names[0]] = now
        self._made |= set() if remove else set(names)
        arguments = self._arguments(connection, names=list(names))
        made = connection.execute(_MAKE, arguments).rowcount
        return made + connection.execute(_FREE_DEAD, arguments).rowcount > 0
