"""The payments of a rate limit: what was spent, what is reserved, and until when requests are paused.

Here: `Ledger`, the only code that knows the tables; it is used within one transaction.
Add here when: the processes of a rate limit have to share another fact.
Keep out: where the tables are (state/); arithmetic on windows (planner.py); sleeping (rate_limit.py).

A payment has a time, a cost and, per bucket of the rule, the label of the charged window ("25/1"). If a label is no
longer in the rule, the payment counts against every window of that bucket: more careful than necessary for the length
of the longest window. The states are `reserved` (to be sent at this time), `sent` (the bytes were sent), `guess`
(assumed for an unknown past) and `summed` (several old payments in one). Only `sent` proves that the vendor has charged
it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from orgdata_dagster.http.rate_limit.planner import Spent, earliest
from orgdata_dagster.http.rate_limit.rule import Rule, Window
from orgdata_dagster.http.rate_limit.timeline import Anchor, Reading, advance
from orgdata_dagster.state import Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    id {id}, at DOUBLE PRECISION NOT NULL, cost DOUBLE PRECISION NOT NULL,
    windows TEXT NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS payment_at ON payment (at);
CREATE TABLE IF NOT EXISTS timeline (
    logical DOUBLE PRECISION NOT NULL, wall DOUBLE PRECISION NOT NULL, monotonic DOUBLE PRECISION NOT NULL,
    boot TEXT NOT NULL, paused_until DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (until DOUBLE PRECISION NOT NULL, asked DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS backoff (failures INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL);
"""

_OLD = "WHERE at < :before AND state <> 'summed'"
_SUM_UP = f"""
INSERT INTO payment (at, cost, windows, state)
SELECT max(at), sum(cost), windows, 'summed' FROM payment {_OLD} GROUP BY windows, CAST(at / :step AS BIGINT)
"""
# Up to this number, rows are not summed up, so that a rule of one request per minute keeps each of them.
_LONG = 200

# Times are Unix times as doubles, exact to a quarter of a microsecond; a smaller difference counts as now.
_INSTANT = 1e-6
# Seconds between two updates of the anchor.
_ANCHOR_AGE = 1.0


@dataclass(frozen=True)
class Reservation:
    """A place in the queue.

    at: when to send, in logical time; `due`: the same as a time of `clock.monotonic()`.
    windows: index of the charged window per bucket.
    ready: it may be sent now.
    paused: it was planned during a pause, and may be sent earlier if the pause is lifted.
    """

    id: int
    cost: float
    windows: tuple[int, ...]
    at: float
    due: float
    ready: bool
    paused: bool = False


class Pause(NamedTuple):
    """A pause of `seconds` from now on. `asked`: seconds that the vendor asks for, if longer than `longest_pause`;
    requests are then refused until the pause ends.
    """

    seconds: float
    asked: float | None = None


class WindowUsage(NamedTuple):
    """The points `spent` in a window that ends now, of its `points`."""

    window: Window
    spent: float
    points: float


class Ledger:
    """The tables, opened at one moment by the only transaction on them.

    reading: the clocks that count. monotonic: the machine's own, for `Reservation.due`.
    """

    def __init__(
        self, transaction: Transaction, rule: Rule, reading: Reading, monotonic: float, longest_pause: float
    ) -> None:
        self._db = transaction
        self._rule = rule
        self._longest_pause = longest_pause
        self._monotonic = monotonic
        self._paused_until = 0.0
        self.now = self._open(reading)

    def reserve(self, cost: float) -> Reservation:
        """Reserve the earliest slot after all waiting requests."""
        past = self._past()
        start = max(self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, past, cost, start)
        if at <= start:  # nothing delayed the request, so its time is now
            at, windows = earliest(self._rule, past, cost, max(self.now, self._paused_until))
        return self._insert(at, cost, windows)

    def confirm(self, reservation: Reservation) -> Reservation:
        """Check the reservation when its time has come: a request may have been late, or a pause may have started.

        Returns the reservation, which is `ready` or has a new time.
        """
        start = max(reservation.at, self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, self._past(reservation), reservation.cost, start)
        if at == reservation.at and windows == reservation.windows:
            return self._reservation(reservation.id, at, reservation.cost, windows)
        moved = self._db.execute(
            "UPDATE payment SET at = :at, windows = :windows WHERE id = :id",
            {"at": at, "windows": self._labels(windows), "id": reservation.id},
        )
        if moved.rowcount == 0:  # so late that the row was deleted or summed up
            return self._insert(at, reservation.cost, windows)
        return self._reservation(reservation.id, at, reservation.cost, windows)

    def mark_sent(self, reservation: Reservation) -> None:
        """Record that the request is being sent: from now on other requests may rely on this payment."""
        self._db.execute("UPDATE payment SET state = 'sent' WHERE id = :id", {"id": reservation.id})

    def mark_late(self, reservation: Reservation, ago: float = 0.0) -> None:
        """Record that the request arrived only now, or `ago` seconds before. Never moves a time back.

        If a less preferred window was charged, a preferred one may have had room by then, so it counts against all.
        """
        windows = "[]" if any(reservation.windows) else self._labels(reservation.windows)
        self._db.execute(
            "UPDATE payment SET at = CASE WHEN at > :then THEN at ELSE :then END, windows = :windows WHERE id = :id",
            {"then": self.now - ago, "windows": windows, "id": reservation.id},
        )

    def give_back(self, reservation: Reservation) -> None:
        """Cancel a reservation that was not sent."""
        self._db.execute("DELETE FROM payment WHERE id = :id", {"id": reservation.id})

    def renew(self, reservation: Reservation) -> Reservation:
        """Move a reservation to the earliest slot if its pause was lifted."""
        if self._paused_until > self.now:
            return replace(reservation, ready=False)
        self.give_back(reservation)
        return self.reserve(reservation.cost)

    def pause(self, seconds: float, asked: float | None) -> None:
        """Pause for `seconds` from now; never shortens a pause. `asked`: see Pause."""
        until = self.now + min(seconds, self._longest_pause)
        self._db.execute("UPDATE timeline SET paused_until = :until WHERE paused_until < :until", {"until": until})
        if asked is not None:
            self._db.execute("DELETE FROM refusal")
            self._db.execute("INSERT INTO refusal VALUES (:until, :asked)", {"until": until, "asked": self.now + asked})

    def paused(self) -> Pause | None:
        """The current pause; None if there is none."""
        if self._paused_until <= self.now:
            return None
        refusal = self._db.execute("SELECT asked FROM refusal WHERE until > :now", {"now": self.now}).fetchone()
        return Pause(self._paused_until - self.now, refusal[0] - self.now if refusal else None)

    def resume(self) -> None:
        """End the pause, and reset the count of failures."""
        self._db.execute("UPDATE timeline SET paused_until = 0")
        self._db.execute("DELETE FROM refusal")
        self._db.execute("DELETE FROM backoff")

    def failed(self) -> int:
        """Count a failure of the vendor; returns the number since its last success, in all processes.

        Failures older than twice the longest pause do not count.
        """
        row = self._db.execute("SELECT failures, at FROM backoff").fetchone()
        failures = row[0] + 1 if row and self.now - row[1] < 2 * self._longest_pause else 1
        self._db.execute("DELETE FROM backoff")
        self._db.execute("INSERT INTO backoff VALUES (:failures, :now)", {"failures": failures, "now": self.now})
        return failures

    def succeeded(self) -> None:
        """Reset the count of failures."""
        self._db.execute("DELETE FROM backoff")

    def usage(self) -> list[WindowUsage]:
        """The usage of each window, in the rule's order. Reservations in the future do not count."""
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
        anchored = {"logical": now, **reading._asdict()}
        if row is None:
            self._db.execute("INSERT INTO timeline VALUES (:logical, :wall, :monotonic, :boot, 0)", anchored)
        elif not known or now - row[0] > _ANCHOR_AGE:
            self._db.execute(
                "UPDATE timeline SET logical = :logical, wall = :wall, monotonic = :monotonic, boot = :boot", anchored
            )
        self._paused_until = row[4] if row else 0.0
        if self._paused_until > now + self._longest_pause:  # noted under another setting: no pause is obeyed unbounded
            self._paused_until = now + self._longest_pause
            self._db.execute("UPDATE timeline SET paused_until = :until", {"until": self._paused_until})
        self._tidy(now)
        if not known and self._rule.unknown_past == "spent":
            self._spend_everything(now)
        return now

    def _tidy(self, now: float) -> None:
        """Delete payments that no longer matter, and sum up old ones, because reading thousands of rows per request
        would delay the others.

        Rows that can decide which window is charged are kept. Older ones matter for longer windows only; they are
        summed in steps of 1/200 of the shortest such window, with the latest time of each step.
        """
        self._db.execute("DELETE FROM payment WHERE at < :before", {"before": now - self._rule.memory})
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
                    "INSERT INTO payment (at, cost, windows, state) VALUES (:at, :cost, :windows, 'guess')",
                    {"at": now, "cost": window.points, "windows": json.dumps(labels)},
                )

    def _past(self, reservation: Reservation | None = None) -> list[Spent]:
        """The payments before `reservation` (None: all), newest first.

        These are all earlier ones in the queue, and later ones whose time has come, because they may have been sent.
        Later ones that still wait consider this reservation when they wake up.
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
        # A request that was not sent within the slack is late and takes another slot, or its process is dead. Until
        # then that is unknown, so a decision that depends on it is postponed by an instant.
        if state == "reserved" and at >= self.now - self._rule.slack:
            return max(at, self.now) + self._rule.slack / 5
        return math.inf

    def _counts_against(self, text: str) -> tuple[tuple[tuple[int, ...], ...], bool]:
        """The windows of a row's labels, and whether each label is in the current rule."""
        labels: list[str | None] = [*json.loads(text)]
        labels += [None] * (len(self._rule.buckets) - len(labels))
        windows, exact = [], True
        for label, bucket in zip(labels, self._rule.buckets, strict=False):
            known = tuple(number for number, window in enumerate(bucket) if window.label == label)
            exact = exact and bool(known)
            windows.append(() if label == "" else known or tuple(range(len(bucket))))
        return tuple(windows), exact

    def _insert(self, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        number = self._db.insert(
            "INSERT INTO payment (at, cost, windows, state) VALUES (:at, :cost, :windows, 'reserved')",
            {"at": at, "cost": cost, "windows": self._labels(windows)},
        )
        return self._reservation(number, at, cost, windows)

    def _reservation(self, number: int, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        ready = at <= self.now + _INSTANT
        paused = self._paused_until > self.now
        return Reservation(number, cost, windows, at, due=self._monotonic + (at - self.now), ready=ready, paused=paused)

    def _labels(self, windows: tuple[int, ...]) -> str:
        return json.dumps([bucket[number].label for bucket, number in zip(self._rule.buckets, windows, strict=True)])


def _spent_in(past: list[Spent], index: int, number: int, since: float) -> float:
    return sum(payment.cost for payment in past if payment.at > since and number in payment.windows[index])
