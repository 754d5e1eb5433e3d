"""One vendor's rate limit, shared by every process that uses the same state.

Here: `RateLimit.spend`, which every request needs, and `Permit`, which it yields.
Add here when: a client or a command needs another operation.
Keep out: HTTP (http/client.py), a vendor's figures (its resource.py), the arithmetic (planner.py).
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from statistics import median
from typing import Concatenate, ParamSpec, TypeVar

from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.rate_limit.lease import NoLease, take_lease
from orgdata_dagster.http.rate_limit.reservations import (
    FIRST,
    GIVE_BACK,
    MARK_SENT,
    SCHEMA,
    Pause,
    Payments,
    Reservation,
    WindowUsage,
)
from orgdata_dagster.http.rate_limit.rule import Rule
from orgdata_dagster.http.rate_limit.timeline import ClockReading, boot_id, read_clocks
from orgdata_dagster.http.rate_limit_interface import VendorPaused
from orgdata_dagster.http.waiting import announce
from orgdata_dagster.state import State, Transaction

P = ParamSpec("P")
T = TypeVar("T")

# The usual response time is known after _FEW answers; it is the median of the last _LAST.
_FEW, _LAST = 4, 50
# Seconds of slack above which no answer can be too late; only windows of a few seconds have less.
_AMPLE = 1.0
# Seconds between two checks whether a pause was lifted.
_CHECK_AGAIN = 5.0
LONGEST_PAUSE = 900.0
# The part of the state with all rate limits.
FOLDER = "rate_limits"


class RateLimitTimeout(TimeoutError):
    """The rate limit had no room before the timeout.

    waited: seconds spent waiting.
    needed: further seconds that the wait would take; None if unknown, because all leases are taken.
    """

    def __init__(self, name: str, waited: float, needed: float | None) -> None:
        more = "and the rest of the wait is unknown" if needed is None else f"{needed:.1f} s more would be needed"
        super().__init__(f"the rate limit {name!r} has no room: waited {waited:.1f} s, {more}")
        self.name = name
        self.waited = waited
        self.needed = needed


class Permit:
    """Permission to send one request now."""

    def __init__(self, rate_limit: RateLimit, began: float, reservation: Reservation | None) -> None:
        self._rate_limit = rate_limit
        self._reservation = reservation
        self._under_way: Reservation | None = None
        self._left: float | None = None
        self.waited = rate_limit.clock.monotonic() - began
        """Seconds waited in total, for a lease and for points."""

    def sent(self) -> None:
        """Call this just before the request's first bytes are sent. Further calls do nothing.

        If connecting took so long that the recorded time is wrong, the payment is moved to the actual time; this waits
        if there is no room then. If the vendor chooses between windows, other requests use the second one only after
        this call.
        """
        if self._reservation is None:
            return
        began = self._rate_limit.clock.monotonic()
        self._under_way = self._rate_limit._send(self._reservation)
        self._reservation = None
        self.waited += self._rate_limit.clock.monotonic() - began

    def left(self) -> None:
        """Call this when the request's last bytes have been sent. Further calls do nothing.

        A busy machine may take long from the first byte to the last. If the recorded time is then wrong, the payment is
        moved to the actual time and counts against every window that may have been charged.
        """
        if self._under_way is not None and self._left is None:
            self._rate_limit._leave(self._under_way)
            self._left = self._rate_limit.clock.monotonic()

    def answered(self) -> None:
        """Call this when the answer starts to arrive. Further calls do nothing.

        If the answer took far longer than usual, the request may have arrived late; the payment is then moved to the
        usual response time before now. Long windows have enough slack without this.
        """
        if self._under_way is not None and self._left is not None:
            self._rate_limit._answer(self._under_way, self._rate_limit.clock.monotonic() - self._left)
            self._under_way = None


class RateLimit:
    """A rule that all processes keep together, through the shared state.

    name: rate limits with the same name and state are the same, in every process and thread.
    clock, boot: the machine's clocks, and the id of its current boot; unused if the state has a clock of its own.
    patience: the longest wait of `spend`, in seconds; None for no limit.
    longest_pause: longest pause in seconds; longer pauses in the state are shortened to it.
    """

    def __init__(
        self,
        name: str,
        rule: Rule,
        state: State,
        clock: Clock = SYSTEM,
        *,
        boot: Callable[[], str] = boot_id,
        patience: float | None = None,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self.name = name
        self._longest_pause = longest_pause
        self.rule = rule
        self.clock = clock
        self._patience = patience
        self._state = state
        self._boot = boot
        self._tables = state.tables(f"{FOLDER}/{name}", SCHEMA)
        self._leases = [f"{FOLDER}/{name}.lease.{number}" for number in range(rule.in_flight or 0)]
        self._turn = threading.Lock()
        self._answers: defaultdict[float, deque[float]] = defaultdict(lambda: deque(maxlen=_LAST))

    @contextmanager
    def spend(self, cost: float = 1) -> Iterator[Permit]:
        """Wait until one request of `cost` points may be sent; it is in progress until the block ends.

        Requests are served first come, first served. A block that sends nothing is still charged.

        Raises RateLimitTimeout, at once if the earliest slot is later than `patience` allows; VendorPaused if the
        vendor asks for a pause longer than `longest_pause`; ValueError for a cost that can never be paid.
        """
        self.rule.check(cost)
        began = self.clock.monotonic()
        deadline = None if self._patience is None else began + self._patience
        try:
            with self._lease(deadline):
                yield Permit(self, began, self._pay(cost, began, deadline))
        except NoLease:
            raise RateLimitTimeout(self.name, self.clock.monotonic() - began, None) from None

    def pause(self, seconds: float, requested: float | None = None) -> bool:
        """Hold back the requests of all processes for `seconds`. Never shortens a pause.

        requested: seconds that the vendor asks for, if longer than `longest_pause`; `spend` then raises VendorPaused
            until the pause ends.
        """
        if seconds > 0:
            self._in_transaction(Payments.pause, seconds, requested)
        return True

    def paused(self) -> Pause | None:
        """The current pause; None if there is none."""
        return self._in_transaction(Payments.paused) if self._tables.exists() else None

    def resume(self) -> Pause | None:
        """Lift the pause; returns it, or None if there was none."""
        pause = self.paused()
        if pause is not None:
            self._in_transaction(Payments.resume)
        return pause

    def charge(self, cost: float) -> None:
        """Record points that were spent already: they take the earliest free slots, and later requests wait."""
        most = min((max(window.points for window in bucket) for bucket in self.rule.buckets), default=0.0)
        while cost > 0 and most:
            self._in_transaction(Payments.reserve, min(cost, most))
            cost -= most

    def failed(self) -> int:
        """Count a failure of the vendor; returns the number of consecutive failures in all processes."""
        return self._in_transaction(Payments.failed)

    def succeeded(self) -> None:
        """Reset the count of failures, because the vendor answers again."""
        self._in_transaction(Payments.succeeded)

    def usage(self) -> list[WindowUsage]:
        """Points spent in each window that ends now, in the rule's order."""
        if self._tables.exists():
            return self._in_transaction(Payments.usage)
        return [WindowUsage(window, 0.0, window.points) for bucket in self.rule.buckets for window in bucket]

    def _in_transaction(self, work: Callable[Concatenate[Payments, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def open_and_work(transaction: Transaction) -> T:
            # The clocks are read here, because waiting for the transaction takes time.
            here = read_clocks(self.clock, self._boot())
            store = transaction.clock()
            if store is None:
                payments = Payments(transaction, self.rule, here, here.monotonic, self._longest_pause)
            else:  # rather too early than too late, so that a slow answer of the store does not delay the request
                reading = ClockReading(store.wall, store.wall, store.boot)
                payments = Payments(transaction, self.rule, reading, here.monotonic - store.age, self._longest_pause)
            return work(payments, *args, **kwargs)

        return self._tables.run(open_and_work, FIRST)

    def _lease(self, deadline: float | None) -> AbstractContextManager[None]:
        if not self._leases:
            return nullcontext()
        return take_lease(self._state, self._leases, self.clock, deadline, self._announce_leases, self._turn)

    def _announce_leases(self) -> None:
        count = len(self._leases)
        reason = f"{count} request{'s' if count > 1 else ''} of other runs to end; more are not allowed at once"
        announce(self.name, reason, None, self.clock)

    def _pay(self, cost: float, began: float, deadline: float | None) -> Reservation | None:
        # Without buckets nothing is recorded. If the tables exist, they may have a pause.
        if not self.rule.buckets and not self._tables.exists():
            return None
        return self._wait(self._in_transaction(Payments.reserve, cost), began, deadline)

    def _check_refusal(self) -> None:
        pause = self.paused()
        if pause is not None and pause.requested is not None:
            raise VendorPaused(self.name, pause.seconds, pause.requested)

    def _wait(self, reservation: Reservation, began: float, deadline: float | None) -> Reservation:
        """Sleep until the slot and confirm it; repeat if it was moved."""
        try:
            while not reservation.ready:
                if reservation.paused:
                    self._check_refusal()
                now = self.clock.monotonic()
                if deadline is not None and reservation.due > deadline:
                    raise RateLimitTimeout(self.name, now - began, reservation.due - now)
                reason = "the end of the pause that the vendor asked for" if reservation.paused else "the rate limit"
                announce(self.name, reason, reservation.due - now, self.clock)
                reservation = self._wait_out_pause(reservation) if reservation.paused else self._wait_for(reservation)
        except BaseException:
            self._tables.change(GIVE_BACK, {"id": reservation.id})
            raise
        return reservation

    def _wait_for(self, reservation: Reservation) -> Reservation:
        self.clock.sleep(reservation.due - self.clock.monotonic())
        return self._in_transaction(Payments.confirm, reservation)

    def _wait_out_pause(self, reservation: Reservation) -> Reservation:
        """Sleep until the slot, which is earlier if a user lifts the pause."""
        while (left := reservation.due - self.clock.monotonic()) > _CHECK_AGAIN:
            self.clock.sleep(_CHECK_AGAIN)
            self._check_refusal()
            renewed = self._in_transaction(Payments.renew, reservation)
            if not renewed.paused:
                return renewed
        self.clock.sleep(left)
        return self._in_transaction(Payments.confirm, reservation)

    def _send(self, reservation: Reservation) -> Reservation:
        """Called by the permit just before sending; returns the current reservation."""
        now = self.clock.monotonic()
        if now - reservation.due > self.rule.patience:
            reservation = self._wait(self._in_transaction(Payments.confirm, reservation), now, None)
        if self.rule.has_choice:
            self._tables.change(MARK_SENT, {"id": reservation.id})
        return reservation

    def _leave(self, reservation: Reservation) -> None:
        """Called by the permit when the request has been sent."""
        if self.clock.monotonic() - reservation.due > self.rule.patience:
            self._in_transaction(Payments.mark_late, reservation)

    def _answer(self, reservation: Reservation, seconds: float) -> None:
        """Called by the permit when the answer arrives; `seconds`: since the request was sent."""
        if self.rule.slack >= _AMPLE:
            return
        answers = self._answers[reservation.cost]  # requests with the same cost take about the same time
        usual = median([*answers]) if len(answers) >= _FEW else seconds
        answers.append(seconds)
        if seconds - usual > max(usual, self.rule.slack) / 2:
            self._in_transaction(Payments.mark_late, reservation, usual)
