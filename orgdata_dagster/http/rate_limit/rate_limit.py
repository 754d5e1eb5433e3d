"""One vendor's rate limit, shared by every process of the machine.

Here: `RateLimit.spend`, the one way to be allowed to send a request, and `Permit`, what it gives.
Add here when: a client or the status command needs another word with the rate limit.
Keep out: HTTP (../client.py), a vendor's figures (its client.py), the arithmetic (planner.py).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import Concatenate, ParamSpec, TypeVar

from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.payment import VendorPaused
from orgdata_dagster.http.rate_limit.lease import NoLease, take_lease
from orgdata_dagster.http.rate_limit.reservations import SCHEMA, Ledger, Pause, Reservation, WindowUsage
from orgdata_dagster.http.rate_limit.rule import Rule
from orgdata_dagster.http.rate_limit.store import Store
from orgdata_dagster.http.rate_limit.timeline import boot_id, read_clocks
from orgdata_dagster.http.waiting import announce

P = ParamSpec("P")
T = TypeVar("T")

# What is usual is known after so many answers, and told by the last of them.
_FEW, _LAST = 4, 50
# Seconds of slack from which on no answer is that late: only windows of a few seconds have less.
_AMPLE = 1.0
# Seconds after which whoever waits for a pause to end looks whether it was lifted.
_LOOK_AGAIN = 5.0
LONGEST_PAUSE = 900.0


class RateLimitTimeout(TimeoutError):
    """The rate limit had no room in time.

    `waited`: seconds spent waiting; `needed`: seconds it would take from now on, None if that is not known
    (all leases taken).
    """

    def __init__(self, name: str, waited: float, needed: float | None) -> None:
        more = "nobody knows how much longer" if needed is None else f"{needed:.1f} s more would be needed"
        super().__init__(f"the rate limit {name!r} has no room: waited {waited:.1f} s, {more}")
        self.name = name
        self.waited = waited
        self.needed = needed


class Permit:
    """Leave to send one request, now."""

    def __init__(self, rate_limit: RateLimit, began: float, reservation: Reservation | None) -> None:
        self._rate_limit = rate_limit
        self._reservation = reservation
        self._under_way: Reservation | None = None
        self._left: float | None = None
        self.waited = rate_limit.clock.monotonic() - began
        """Seconds waited in all, for a lease and for points."""

    def sent(self) -> None:
        """To be called when the request's first bytes are about to be written; once, later calls do nothing.

        If setting up the connection took so long that the vendor would see the request in another place
        than the book says, the payment is dated anew; should its room be gone, this waits for some.
        Where the vendor chooses between windows, only requests so reported let others use the second one.
        """
        if self._reservation is None:
            return
        began = self._rate_limit.clock.monotonic()
        self._under_way = self._rate_limit._send(self._reservation)
        self._reservation = None
        self.waited += self._rate_limit.clock.monotonic() - began

    def left(self) -> None:
        """To be called when the request's last bytes are written; once, later calls do nothing.

        A machine that is short of breath may take long from the first byte to the last. If the vendor would see the
        request later than the book says, it is dated anew, and counts against whichever window may have paid.
        """
        if self._under_way is not None and self._left is None:
            self._rate_limit._leave(self._under_way)
            self._left = self._rate_limit.clock.monotonic()

    def answered(self) -> None:
        """To be called when the answer begins to arrive; once, later calls do nothing.

        The vendor saw the request at some moment before. If the answer took far longer than usual, this may have been
        late: the payment is dated anew, by the usual time before now. Windows of many seconds have slack enough.
        """
        if self._under_way is not None and self._left is not None:
            self._rate_limit._answer(self._under_way, self._rate_limit.clock.monotonic() - self._left)
            self._under_way = None


class RateLimit:
    """A rule, and the files in `folder` by which all processes keep it together.

    `name` becomes part of file names. Two rate limits of one name and folder are the same rate limit, in whatever
    process or thread. `boot` names the machine's present boot (tests reboot by changing it). `patience`: the
    timeout of every `spend` without one of its own. `longest_pause`: the seconds for which a vendor can have
    everybody wait, whatever the store says.
    """

    def __init__(
        self,
        name: str,
        rule: Rule,
        folder: Path,
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
        self._folder = folder
        self._boot = boot
        self._store = Store(folder / f"{name}.sqlite", SCHEMA)
        self._answers: defaultdict[float, deque[float]] = defaultdict(lambda: deque(maxlen=_LAST))

    @contextmanager
    def spend(self, cost: float = 1, *, timeout: float | None = None) -> Iterator[Permit]:
        """Wait until one request of `cost` points may be sent; it is under way until the block ends.

        First come, first served. `timeout` in seconds; None: the rate limit's patience, or as long as it takes.
        Raises BudgetTimeout, at once if the earliest slot lies beyond the timeout, VendorPaused where the vendor wants
        a longer pause than anybody waits, and ValueError for a cost that can never be paid. A block left without
        sending has paid all the same.
        """
        self.rule.check(cost)
        began = self.clock.monotonic()
        timeout = self._patience if timeout is None else timeout
        deadline = None if timeout is None else began + timeout
        try:
            with self._lease(deadline):
                yield Permit(self, began, self._pay(cost, began, deadline))
        except NoLease:
            raise RateLimitTimeout(self.name, self.clock.monotonic() - began, None) from None

    def pause(self, seconds: float, asked: float | None = None) -> bool:
        """Nobody, in any process, sends before `seconds` from now. Never shortens a pause.

        `asked`: what the vendor wants, where it is more than anybody waits; until the pause ends `spend` then refuses.
        """
        if seconds > 0:
            self._book(Ledger.pause, seconds, asked)
        return True

    def paused(self) -> Pause | None:
        """The pause in force, if there is one."""
        return self._book(Ledger.paused) if self._store.exists() else None

    def resume(self) -> Pause | None:
        """Lift the pause; returns what it was."""
        pause = self.paused()
        if pause is not None:
            self._book(Ledger.resume)
        return pause

    def charge(self, cost: float) -> None:
        """Pay for something that was done already: it takes the earliest slots there are, and later requests wait."""
        most = min((max(window.points for window in bucket) for bucket in self.rule.buckets), default=0.0)
        while cost > 0 and most:
            self._book(Ledger.reserve, min(cost, most))
            cost -= most

    def failed(self) -> int:
        """Count a failure of the vendor, whichever process met it; returns how many there were in a row."""
        return self._book(Ledger.failed)

    def succeeded(self) -> None:
        """The vendor answers again."""
        self._book(Ledger.succeeded)

    def usage(self) -> list[WindowUsage]:
        """Points spent inside each window at this moment, in the rule's order."""
        if self._store.exists():
            return self._book(Ledger.usage)
        return [WindowUsage(window, 0.0, window.points) for bucket in self.rule.buckets for window in bucket]

    def _book(self, work: Callable[Concatenate[Ledger, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def open_and_work(connection: sqlite3.Connection) -> T:
            # The clocks are read here, not before: waiting for the store's lock takes time too.
            reading = read_clocks(self.clock, self._boot())
            ledger = Ledger(connection, self.rule, reading, self._longest_pause)
            return work(ledger, *args, **kwargs)

        return self._store.run(open_and_work)

    def _lease(self, deadline: float | None) -> AbstractContextManager[None]:
        if self.rule.in_flight is None:
            return nullcontext()
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = [self._folder / f"{self.name}.lease.{number}" for number in range(self.rule.in_flight)]
        told = (
            f"{len(paths)} request{'s' if len(paths) > 1 else ''} of other runs to end, which may not be more at once"
        )
        return take_lease(paths, self.clock, deadline, lambda: announce(self.name, told, None, self.clock))

    def _pay(self, cost: float, began: float, deadline: float | None) -> Reservation | None:
        # No bucket, nothing to book. Only a pause would have made the store, and that has to be waited for.
        if not self.rule.buckets and not self._store.exists():
            return None
        return self._wait(self._book(Ledger.reserve, cost), began, deadline)

    def _check_refusal(self) -> None:
        pause = self.paused()
        if pause is not None and pause.asked is not None:
            raise VendorPaused(self.name, pause.seconds, pause.asked)

    def _wait(self, reservation: Reservation, began: float, deadline: float | None) -> Reservation:
        """Sleep until the slot, confirm it, and again if it had to be moved."""
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
            self._book(Ledger.give_back, reservation)
            raise
        return reservation

    def _wait_for(self, reservation: Reservation) -> Reservation:
        self.clock.sleep(reservation.due - self.clock.monotonic())
        return self._book(Ledger.confirm, reservation)

    def _wait_out_pause(self, reservation: Reservation) -> Reservation:
        """Sleep until the slot, which comes earlier if somebody lifts the pause."""
        while (left := reservation.due - self.clock.monotonic()) > _LOOK_AGAIN:
            self.clock.sleep(_LOOK_AGAIN)
            self._check_refusal()
            renewed = self._book(Ledger.renew, reservation)
            if not renewed.paused:
                return renewed
        self.clock.sleep(left)
        return self._book(Ledger.confirm, reservation)

    def _send(self, reservation: Reservation) -> Reservation:
        """Called by the permit at the moment of sending; returns the reservation that then holds."""
        now = self.clock.monotonic()
        if now - reservation.due > self.rule.patience:
            reservation = self._wait(self._book(Ledger.confirm, reservation), now, None)
        if self.rule.has_choice:
            self._book(Ledger.mark_sent, reservation)
        return reservation

    def _leave(self, reservation: Reservation) -> None:
        """Called by the permit when the request has left."""
        if self.clock.monotonic() - reservation.due > self.rule.patience:
            self._book(Ledger.mark_late, reservation)

    def _answer(self, reservation: Reservation, seconds: float) -> None:
        """Called by the permit when the answer came so many seconds after the request had left."""
        if self.rule.slack >= _AMPLE:
            return
        answers = self._answers[reservation.cost]  # what costs the same takes about as long
        usual = median([*answers]) if len(answers) >= _FEW else seconds
        answers.append(seconds)
        if seconds - usual > max(usual, self.rule.slack) / 2:
            self._book(Ledger.mark_late, reservation, usual)
