"""The payments of a rate limit: spent points, reserved points, and the end of a pause.

Here: `Payments`, the only code that knows the tables; it is used within one transaction.
Add here when: the processes of a rate limit have to share another fact.
Keep out: storing the tables (state/); arithmetic on windows (planner.py); sleeping (rate_limit.py).

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
from orgdata_dagster.http.rate_limit.timeline import Anchor, ClockReading, advance
from orgdata_dagster.state import Transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    id {id}, at DOUBLE PRECISION NOT NULL, cost DOUBLE PRECISION NOT NULL,
    windows TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS timeline (
    logical DOUBLE PRECISION NOT NULL, wall DOUBLE PRECISION NOT NULL, monotonic DOUBLE PRECISION NOT NULL,
    boot TEXT NOT NULL, paused_until DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (until DOUBLE PRECISION NOT NULL, asked DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS backoff (failures INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL);
"""

# The queries with which every transaction of `Payments` begins.
FIRST = (
    "SELECT logical, wall, monotonic, boot, paused_until FROM timeline",
    "SELECT id, at, cost, windows, state FROM payment",
)
# Changes that do not depend on other payments. After MARK_SENT, other requests may rely on this payment.
MARK_SENT = "UPDATE payment SET state = 'sent' WHERE id = :id"
GIVE_BACK = "DELETE FROM payment WHERE id = :id"

_INSERT = "INSERT INTO payment (id, at, cost, windows, state) VALUES (:id, :at, :cost, :windows, :state)"
# Up to this number, rows that no longer matter stay, because deleting them one by one costs more than reading them.
_FEW_OLD = 20
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
    """A pause of `seconds` from now on. `requested`: seconds that the vendor asks for, if longer than `longest_pause`;
    requests are then refused until the pause ends.
    """

    seconds: float
    requested: float | None = None


class WindowUsage(NamedTuple):
    """The points `spent` in a window that ends now, of its `points`."""

    window: Window
    spent: float
    points: float


class Payments:
    """The payments as seen by one exclusive transaction.

    reading: the clocks that apply, those of the store or of the machine.
    monotonic: the machine's own monotonic clock, for `Reservation.due`.
    """

    def __init__(
        self, transaction: Transaction, rule: Rule, reading: ClockReading, monotonic: float, longest_pause: float
    ) -> None:
        self._db = transaction
        self._rule = rule
        self._longest_pause = longest_pause
        self._monotonic = monotonic
        self._paused_until = 0.0
        timeline, self._payments = transaction.first[0], list(transaction.first[1])
        self.now = self._open(timeline[0] if timeline else None, reading)

    def reserve(self, cost: float) -> Reservation:
        """Reserve the earliest slot after all waiting requests."""
        past = self._past()
        start = max(self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, past, cost, start)
        if at <= start:  # nothing delayed the request, so its time is now
            at, windows = earliest(self._rule, past, cost, max(self.now, self._paused_until))
        return self._reserved(at, cost, windows)

    def confirm(self, reservation: Reservation) -> Reservation:
        """Check the reservation when its time has come: a request may have been late, or a pause may have started.

        Returns the reservation, which is `ready` or has a new time.
        """
        start = max(reservation.at, self.now - self._rule.grace, self._paused_until)
        at, windows = earliest(self._rule, self._past(reservation), reservation.cost, start)
        if at == reservation.at and windows == reservation.windows:
            return self._reservation(reservation.id, at, reservation.cost, windows)
        if all(
            payment[0] != reservation.id for payment in self._payments
        ):  # so late that the row was deleted or summed up
            return self._reserved(at, reservation.cost, windows)
        self._db.change(
            "UPDATE payment SET at = :at, windows = :windows WHERE id = :id",
            {"at": at, "windows": self._labels(windows), "id": reservation.id},
        )
        return self._reservation(reservation.id, at, reservation.cost, windows)

    def mark_late(self, reservation: Reservation, ago: float = 0.0) -> None:
        """Record that the request arrived only now, or `ago` seconds before. Never moves a time back.

        If a less preferred window was charged, a preferred one may have had room by then, so it counts against all.
        """
        windows = "[]" if any(reservation.windows) else self._labels(reservation.windows)
        self._db.change(
            "UPDATE payment SET at = CASE WHEN at > :then THEN at ELSE :then END, windows = :windows WHERE id = :id",
            {"then": self.now - ago, "windows": windows, "id": reservation.id},
        )

    def renew(self, reservation: Reservation) -> Reservation:
        """Move a reservation to the earliest slot if its pause was lifted."""
        if self._paused_until > self.now:
            return replace(reservation, ready=False)
        self._db.change(GIVE_BACK, {"id": reservation.id})
        self._payments = [payment for payment in self._payments if payment[0] != reservation.id]
        return self.reserve(reservation.cost)

    def pause(self, seconds: float, requested: float | None) -> None:
        """Pause for `seconds` from now; never shortens a pause. `requested`: see Pause."""
        until = self.now + min(seconds, self._longest_pause)
        self._db.change("UPDATE timeline SET paused_until = :until WHERE paused_until < :until", {"until": until})
        if requested is not None:
            self._db.change("DELETE FROM refusal")
            refusal = {"until": until, "asked": self.now + requested}
            self._db.change("INSERT INTO refusal VALUES (:until, :asked)", refusal)

    def paused(self) -> Pause | None:
        """The current pause; None if there is none."""
        if self._paused_until <= self.now:
            return None
        refusal = self._db.execute("SELECT asked FROM refusal WHERE until > :now", {"now": self.now}).fetchone()
        return Pause(self._paused_until - self.now, refusal[0] - self.now if refusal else None)

    def resume(self) -> None:
        """End the pause, and reset the count of failures."""
        self._db.change("UPDATE timeline SET paused_until = 0")
        self._db.change("DELETE FROM refusal")
        self._db.change("DELETE FROM backoff")

    def failed(self) -> int:
        """Count a failure of the vendor; returns the number since its last success, in all processes.

        Failures older than twice the longest pause do not count.
        """
        row = self._db.execute("SELECT failures, at FROM backoff").fetchone()
        failures = row[0] + 1 if row and self.now - row[1] < 2 * self._longest_pause else 1
        self._db.change("DELETE FROM backoff")
        self._db.change("INSERT INTO backoff VALUES (:failures, :now)", {"failures": failures, "now": self.now})
        return failures

    def succeeded(self) -> None:
        """Reset the count of failures."""
        self._db.change("DELETE FROM backoff")

    def usage(self) -> list[WindowUsage]:
        """The usage of each window, in the rule's order. Reservations in the future do not count."""
        past = [payment for payment in self._past() if payment.at <= self.now]
        return [
            WindowUsage(window, _spent_in(past, index, number, self.now - window.seconds), window.points)
            for index, bucket in enumerate(self._rule.buckets)
            for number, window in enumerate(bucket)
        ]

    def _open(self, timeline: tuple[float, float, float, str, float] | None, reading: ClockReading) -> float:
        anchor = Anchor(timeline[0], ClockReading(*timeline[1:4])) if timeline else None
        now, known = advance(anchor, reading)
        anchored = {"logical": now, **reading._asdict()}
        if timeline is None:
            self._db.change("INSERT INTO timeline VALUES (:logical, :wall, :monotonic, :boot, 0)", anchored)
        elif not known or now - timeline[0] > _ANCHOR_AGE:
            self._db.change(
                "UPDATE timeline SET logical = :logical, wall = :wall, monotonic = :monotonic, boot = :boot", anchored
            )
        self._paused_until = timeline[4] if timeline else 0.0
        if self._paused_until > now + self._longest_pause:  # recorded with another setting: shorten the pause
            self._paused_until = now + self._longest_pause
            self._db.change("UPDATE timeline SET paused_until = :until", {"until": self._paused_until})
        self._tidy(now)
        if not known and self._rule.unknown_past == "spent":
            self._spend_everything(now)
        return now

    def _tidy(self, now: float) -> None:
        """Delete payments that no longer matter, and sum up old ones.

        Otherwise every request would read thousands of rows, which would delay the others.
        """
        if len(self._payments) <= _FEW_OLD:
            return
        before = now - self._rule.memory
        found, self._payments = self._payments, [payment for payment in self._payments if payment[1] >= before]
        if len(found) - len(self._payments) > _FEW_OLD:
            self._db.change("DELETE FROM payment WHERE at < :before", {"before": before})
        if len(self._payments) >= _LONG:
            self._sum_up(now)

    def _sum_up(self, now: float) -> None:
        """Sum up old payments.

        Rows that can decide which window is charged are kept. Older ones matter for longer windows only; they are
        summed in steps of 1/200 of the shortest such window, with the latest time of each step.
        """
        slack = self._rule.slack
        deciding = [window.seconds for bucket in self._rule.buckets for window in bucket[:-1]]
        single = max(deciding, default=0.0) + slack
        old = [payment for payment in self._payments if payment[1] < now - single and payment[4] != "summed"]
        if len(old) < _LONG:
            return
        seconds = [window.seconds for bucket in self._rule.buckets for window in bucket]
        step = min(length for length in seconds if length + slack > single) / 200
        groups: dict[tuple[str, int], tuple[float, float]] = {}
        for _, at, cost, windows, _ in old:
            latest, total = groups.get((windows, int(at / step)), (at, 0.0))
            groups[windows, int(at / step)] = max(at, latest), total + cost
        gone = {payment[0] for payment in old}
        self._payments = [payment for payment in self._payments if payment[0] not in gone]
        self._db.change("DELETE FROM payment WHERE at < :before AND state <> 'summed'", {"before": now - single})
        for (windows, _), (at, cost) in groups.items():
            self._insert(at, cost, windows, "summed")

    def _spend_everything(self, now: float) -> None:
        for index, bucket in enumerate(self._rule.buckets):
            for window in bucket:
                labels = [""] * len(self._rule.buckets)
                labels[index] = window.label
                self._insert(now, window.points, json.dumps(labels), "guess")

    def _past(self, reservation: Reservation | None = None) -> list[Spent]:
        """The payments before `reservation` (None: all).

        These are all earlier ones in the queue, and later ones whose time has come, because they may have been sent.
        Later ones that still wait consider this reservation when they wake up.
        """
        mine = math.inf if reservation is None else reservation.id
        counted: dict[str, tuple[tuple[tuple[int, ...], ...], bool]] = {}
        past = []
        for number, at, cost, text, state in self._payments:
            if number == mine or (number > mine and at > self.now):
                continue
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

    def _reserved(self, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        number = self._insert(at, cost, self._labels(windows), "reserved")
        return self._reservation(number, at, cost, windows)

    def _insert(self, at: float, cost: float, windows: str, state: str) -> int:
        row = {"at": at, "cost": cost, "windows": windows, "state": state}
        number = self._db.insert(_INSERT, row)
        self._payments.append((number, at, cost, windows, state))
        return number

    def _reservation(self, number: int, at: float, cost: float, windows: tuple[int, ...]) -> Reservation:
        ready = at <= self.now + _INSTANT
        paused = self._paused_until > self.now
        return Reservation(number, cost, windows, at, due=self._monotonic + (at - self.now), ready=ready, paused=paused)

    def _labels(self, windows: tuple[int, ...]) -> str:
        return json.dumps([bucket[number].label for bucket, number in zip(self._rule.buckets, windows, strict=True)])


def _spent_in(past: list[Spent], index: int, number: int, since: float) -> float:
    return sum(payment.cost for payment in past if payment.at > since and number in payment.windows[index])
