"""The book of payments: what was spent, what is reserved, until when everyone pauses.

Here: `Ledger`, the only code that knows the tables; it lives inside one transaction.
Add here when: the processes of a rate limit have to know one more thing of each other.
Keep out: the file and its locks (store.py); arithmetic on windows (planner.py); sleeping (rate_limit.py).

A payment's row carries its date, its cost and, for each bucket of the rule, the label of the window that paid
("25/1"). If the rule has been changed and a label is not in it any more, the row counts against every window
of that bucket: too careful for as long as the longest window, never too bold. States of a row: `reserved` (its
owner is to send at that date), `sent` (its bytes were written), `guess` (made up for an unknown past),
`summed` (several old rows in one). Only what was sent proves anything about the vendor's own book.
"""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import dataclass, replace
from typing import NamedTuple

from orgdata_dagster.http.rate_limit.planner import Spent, earliest
from orgdata_dagster.http.rate_limit.rule import Rule, Window
from orgdata_dagster.http.rate_limit.timeline import Anchor, Reading, advance

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, cost REAL NOT NULL,
    windows TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS payment_at ON payment (at);
CREATE TABLE IF NOT EXISTS timeline (
    logical REAL NOT NULL, wall REAL NOT NULL, monotonic REAL NOT NULL, boot TEXT NOT NULL,
    paused_until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (until REAL NOT NULL, asked REAL NOT NULL);
CREATE TABLE IF NOT EXISTS backoff (failures INTEGER NOT NULL, at REAL NOT NULL);
"""

_OLD = "WHERE at < :before AND state <> 'summed'"
_SUM_UP = f"""
INSERT INTO payment (at, cost, windows, state)
SELECT max(at), sum(cost), windows, 'summed' FROM payment {_OLD} GROUP BY windows, CAST(at / :step AS INTEGER)
"""
# So few rows are left single: a rule of one request a minute keeps each, and its owner can still move it.
_LONG = 200

# Dates are unix-sized doubles, good to a quarter of a microsecond: anything nearer than this is now.
_INSTANT = 1e-6
# How old the anchor may get before it is written again: seldom enough to cost nothing.
_ANCHOR_AGE = 1.0


@dataclass(frozen=True)
class Reservation:
    """A place in the queue: what is to be paid, and when (`at` is logical time, `due` the same by monotonic).

    `paused`: a pause was in force when it was planned, so it may come earlier once somebody lifts the pause.
    """

    id: int
    cost: float
    windows: tuple[int, ...]
    at: float
    due: float
    ready: bool
    paused: bool = False


class Pause(NamedTuple):
    """Nobody sends for `seconds`. `asked`: the seconds for which the vendor wants no request, where these are more
    than anybody here waits: requests are then refused until the pause is over."""

    seconds: float
    asked: float | None = None


class WindowUsage(NamedTuple):
    """What was spent inside a window's last `seconds`, of the points it has."""

    window: Window
    spent: float
    points: float


class Ledger:
    """The book, opened at one moment by the holder of the store's lock."""

    def __init__(self, connection: sqlite3.Connection, rule: Rule, reading: Reading, longest_pause: float) -> None:
        self._db = connection
        self._rule = rule
        self._longest_pause = longest_pause
        self._monotonic = reading.monotonic
        self._paused_until = 0.0
        self.now = self._open(reading)

    def reserve(self, cost: float) -> Reservation:
        """Take the earliest slot behind everybody who is waiting."""
        past = self._past()
        start = max(self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, past, cost, start)
        if at <= start:  # no slot that we just missed: nothing held us back, so date it as it is
            at, windows = earliest(self._rule, past, cost, max(self.now, self._paused_until))
        return self._insert(at, cost, windows)

    def confirm(self, reservation: Reservation) -> Reservation:
        """Look again when the slot has come: others may have been late, or we, or a pause has begun.

        Returns the reservation, `ready` to be sent now or with its new date.
        """
        start = max(reservation.at, self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, self._past(reservation), reservation.cost, start)
        if at == reservation.at and windows == reservation.windows:
            return self._reservation(reservation.id, at, reservation.cost, windows)
        moved = self._db.execute(
            "UPDATE payment SET at = ?, windows = ? WHERE id = ?", (at, self._labels(windows), reservation.id)
        )
        if moved.rowcount == 0:  # so late that the row is forgotten or summed up by now
            return self._insert(at, reservation.cost, windows)
        return self._reservation(reservation.id, at, reservation.cost, windows)

    def mark_sent(self, reservation: Reservation) -> None:
        """The request's bytes are on their way: from now on others may rely on this payment."""
        self._db.execute("UPDATE payment SET state = 'sent' WHERE id = ?", (reservation.id,))

    def mark_late(self, reservation: Reservation, ago: float = 0.0) -> None:
        """The vendor saw the request only now, or so many seconds ago. If a less preferred window was to pay for it, a
        preferred one may have got room by then, so it counts against each of them. No date is moved back."""
        windows = "[]" if any(reservation.windows) else self._labels(reservation.windows)
        self._db.execute(
            "UPDATE payment SET at = max(at, ?), windows = ? WHERE id = ?", (self.now - ago, windows, reservation.id)
        )

    def give_back(self, reservation: Reservation) -> None:
        """Leave the queue without having sent anything."""
        self._db.execute("DELETE FROM payment WHERE id = ?", (reservation.id,))

    def renew(self, reservation: Reservation) -> Reservation:
        """If the pause that a reservation waits for was lifted, give it the earliest slot there is now."""
        if self._paused_until > self.now:
            return replace(reservation, ready=False)
        self.give_back(reservation)
        return self.reserve(reservation.cost)

    def pause(self, seconds: float, asked: float | None) -> None:
        """Nobody sends before `seconds` from now; a longer pause stays as it is. `asked`: see Pause."""
        until = self.now + min(seconds, self._longest_pause)
        self._db.execute("UPDATE timeline SET paused_until = max(paused_until, ?)", (until,))
        if asked is not None:
            self._db.execute("DELETE FROM refusal")
            self._db.execute("INSERT INTO refusal VALUES (?, ?)", (until, self.now + asked))

    def paused(self) -> Pause | None:
        """The pause in force."""
        if self._paused_until <= self.now:
            return None
        refusal = self._db.execute("SELECT asked FROM refusal WHERE until > ?", (self.now,)).fetchone()
        return Pause(self._paused_until - self.now, refusal[0] - self.now if refusal else None)

    def resume(self) -> None:
        """End the pause, and forget the failures that led to it."""
        self._db.execute("UPDATE timeline SET paused_until = 0")
        self._db.execute("DELETE FROM refusal")
        self._db.execute("DELETE FROM backoff")

    def failed(self) -> int:
        """Count a failure of the vendor; returns how many there were since its last success, whoever met them.

        Failures that lie further back than twice the longest pause say nothing about the present.
        """
        row = self._db.execute("SELECT failures, at FROM backoff").fetchone()
        failures = row[0] + 1 if row and self.now - row[1] < 2 * self._longest_pause else 1
        self._db.execute("DELETE FROM backoff")
        self._db.execute("INSERT INTO backoff VALUES (?, ?)", (failures, self.now))
        return failures

    def succeeded(self) -> None:
        """The vendor answers again."""
        self._db.execute("DELETE FROM backoff")

    def usage(self) -> list[WindowUsage]:
        """What each window has paid up to now, in the rule's order; slots still to come do not count."""
        past = [payment for payment in self._past() if payment.at <= self.now]
        return [
            WindowUsage(window, _spent_in(past, index, number, self.now - window.seconds), window.points)
            for index, bucket in enumerate(self._rule.buckets)
            for number, window in enumerate(bucket)
        ]

    def _open(self, reading: Reading) -> float:
        row = self._db.execute("SELECT logical, wall, monotonic, boot, paused_until FROM timeline").fetchone()
        anchor = Anchor(row[0], Reading(*row[1:4])) if row else None
        now, known = advance(anchor, reading)
        if row is None:
            self._db.execute("INSERT INTO timeline VALUES (?, ?, ?, ?, 0)", (now, *reading))
        elif not known or now - row[0] > _ANCHOR_AGE:
            self._db.execute("UPDATE timeline SET logical = ?, wall = ?, monotonic = ?, boot = ?", (now, *reading))
        self._paused_until = row[4] if row else 0.0
        if self._paused_until > now + self._longest_pause:  # noted under another setting: no pause is obeyed unbounded
            self._paused_until = now + self._longest_pause
            self._db.execute("UPDATE timeline SET paused_until = ?", (self._paused_until,))
        self._tidy(now)
        if not known and self._rule.unknown_past == "spent":
            self._spend_everything(now)
        return now

    def _tidy(self, now: float) -> None:
        """Forget what matters no more, and sum up the distant past once it is long: reading thousands of rows
        for every request would make the others late.

        Rows that can decide which window pays stay single. Older ones matter to longer windows only: they are
        summed in steps of 1/200 of the shortest such window, dated with the latest of them (never too bold).
        """
        self._db.execute("DELETE FROM payment WHERE at < ?", (now - self._rule.memory,))
        slack = self._rule.slack
        deciding = [window.seconds for bucket in self._rule.buckets for window in bucket[:-1]]
        single = max(deciding, default=0.0) + slack
        old = {"before": now - single}
        if self._db.execute(f"SELECT count(*) FROM payment {_OLD}", old).fetchone()[0] < _LONG:
            return
        seconds = [window.seconds for bucket in self._rule.buckets for window in bucket]
        step = min(length for length in seconds if length + slack > single) / 200
        self._db.execute(_SUM_UP, {**old, "step": step})
        self._db.execute(f"DELETE FROM payment {_OLD}", old)

    def _spend_everything(self, now: float) -> None:
        for index, bucket in enumerate(self._rule.buckets):
            for window in bucket:
                labels = [""] * len(self._rule.buckets)
                labels[index] = window.label
                self._db.execute(
                    "INSERT INTO payment (at, cost, windows, state) VALUES (?, ?, ?, 'guess')",
                    (now, window.points, json.dumps(labels)),
                )

    def _past(self, reservation: Reservation | None = None) -> list[Spent]:
        """What stands before `reservation` (before a newcomer: everything), newest first.

        That is all who queued earlier, and those behind whose slot has come: they may have sent already. Who
        is behind and still waiting will look at us when they wake up.
        """
        before = "TRUE" if reservation is None else "id <> :id AND (id < :id OR at <= :now)"
        query = f"SELECT at, cost, windows, state FROM payment WHERE {before} ORDER BY at DESC"
        bounds = {"id": reservation and reservation.id, "now": self.now}
        counted: dict[str, tuple[tuple[tuple[int, ...], ...], bool]] = {}
        past = []
        for at, cost, text, state in self._db.execute(query, bounds):
            if text not in counted:
                counted[text] = self._counts_against(text)
            windows, exact = counted[text]
            past.append(Spent(at, cost, windows, self._proven(at, state) if exact else math.inf))
        return past

    def _proven(self, at: float, state: str) -> float:
        if state == "sent":
            return -math.inf
        # Who has not sent within the slack is late and will take another slot, or is dead. Until then nobody
        # knows, so a decision that hangs on it is put off by an instant, and taken anew then.
        if state == "reserved" and at >= self.now - self._rule.slack:
            return max(at, self.now) + self._rule.slack / 5
        return math.inf

    def _counts_against(self, text: str) -> tuple[tuple[tuple[int, ...], ...], bool]:
        """The windows that a row's labels stand for, and whether each label is one of the present rule's."""
        labels: list[str | None] = [*json.loads(text)]
        labels += [None] * (len(self._rule.buckets) - len(labels))
        windows, exact = [], True
        for label, bucket in zip(labels, self._rule.buckets, strict=False):
            known = tuple(number for number, window in enumerate(bucket) if window.label == label)
            exact = exact and bool(known)
            windows.append(() if label == "" else known or tuple(range(len(bucket))))
        return tuple(windows), exact

    def _insert(self, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        row = self._db.execute(
            "INSERT INTO payment (at, cost, windows, state) VALUES (?, ?, ?, 'reserved')",
            (at, cost, self._labels(windows)),
        )
        return self._reservation(row.lastrowid or 0, at, cost, windows)

    def _reservation(self, number: int, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        ready = at <= self.now + _INSTANT
        paused = self._paused_until > self.now
        return Reservation(number, cost, windows, at, due=self._monotonic + (at - self.now), ready=ready, paused=paused)

    def _labels(self, windows: tuple[int, ...]) -> str:
        return json.dumps([bucket[number].label for bucket, number in zip(self._rule.buckets, windows, strict=True)])


def _spent_in(past: list[Spent], index: int, number: int, since: float) -> float:
    return sum(payment.cost for payment in past if payment.at > since and number in payment.windows[index])
