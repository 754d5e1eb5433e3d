"""Rate limits as vendors enforce them: exact sliding windows, costs in points, concurrent requests.

Here: limits (`Limits`) and their enforcement in the server (`Limiter`), without tolerance.
Add here when: a vendor's document has another kind of limit.
Keep out: a vendor's figures (its package); waiting and retrying, because a server only refuses.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Window:
    """At most `points` within any `seconds`. A charge no longer counts when it is exactly `seconds` old."""

    points: int
    seconds: float


@dataclass(frozen=True)
class Rule:
    """The first of these windows with room is charged the whole cost of a request.

    shared: whether all API keys share the windows; otherwise each key has its own.
    """

    windows: tuple[Window, ...]
    shared: bool = False


@dataclass(frozen=True)
class Limits:
    """The limits of a vendor. A request must fit into every rule.

    at_once: concurrent requests per key; None: no bound.
    revoke_after: number of violations after which a key is revoked for good; None: never.
    """

    rules: tuple[Rule, ...] = ()
    at_once: int | None = None
    revoke_after: int | None = None


UNLIMITED = Limits()


def faster(limits: Limits, factor: float) -> Limits:
    """The same limits with `factor` times as many points in every window."""
    rules = tuple(
        replace(rule, windows=tuple(Window(round(one.points * factor), one.seconds) for one in rule.windows))
        for rule in limits.rules
    )
    return replace(limits, rules=rules)


class _Account:
    """The charges of one window that still count."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._charges: deque[tuple[float, int]] = deque()
        self._spent = 0

    def wait(self, cost: int, now: float) -> float:
        """Seconds until this cost fits, if no other request arrives; 0.0: now; infinite: never."""
        while self._charges and self._charges[0][0] + self._window.seconds <= now:
            self._spent -= self._charges.popleft()[1]
        excess = self._spent + cost - self._window.points
        if excess <= 0:
            return 0.0
        for charged, points in self._charges:
            excess -= points
            if excess <= 0:
                return charged + self._window.seconds - now
        return math.inf

    def charge(self, cost: int, now: float) -> None:
        self._charges.append((now, cost))
        self._spent += cost


@dataclass
class _Key:
    under_way: int = 0
    violations: int = 0


@dataclass(frozen=True)
class Refusal:
    """Why a request was refused, and after how many seconds it would be accepted (429, Retry-After)."""

    reason: str
    retry_after: float


@dataclass
class Limiter:
    """Accepts or refuses the requests to one vendor. Thread-safe.

    clock: returns monotonic seconds.
    """

    limits: Limits = UNLIMITED
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, _Key] = field(default_factory=dict)
    _accounts: dict[tuple[int, str], list[_Account]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def violations(self) -> int:
        """Number of refused requests so far, of all keys."""
        with self._lock:
            return sum(key.violations for key in self._keys.values())

    def revoked(self, key: str) -> bool:
        """Whether this key was revoked because it broke the limits too often."""
        after = self.limits.revoke_after
        with self._lock:
            return after is not None and self._key(key).violations >= after

    def enter(self, key: str, cost: int = 1) -> Refusal | None:
        """Charge a request and count it as in progress, or return why it is refused; a refusal costs nothing."""
        with self._lock:
            now = self.clock()
            refusal = self._refusal(key, cost, now)
            if refusal:
                self._key(key).violations += 1
                return refusal
            for accounts in self._payers(key):
                next(a for a in accounts if a.wait(cost, now) == 0).charge(cost, now)
            self._key(key).under_way += 1
            return None

    def leave(self, key: str) -> None:
        """Count a request that `enter` accepted as finished."""
        with self._lock:
            self._key(key).under_way -= 1

    def _refusal(self, key: str, cost: int, now: float) -> Refusal | None:
        if self.limits.at_once is not None and self._key(key).under_way >= self.limits.at_once:
            return Refusal(f"more than {self.limits.at_once} requests at once", 1.0)
        waits = [min(account.wait(cost, now) for account in accounts) for accounts in self._payers(key)]
        if any(waits):
            return Refusal("too many requests", max(waits))
        return None

    def _payers(self, key: str) -> list[list[_Account]]:
        """Per rule, the accounts that may be charged for a request of this key."""
        payers = []
        for number, rule in enumerate(self.limits.rules):
            owner = (number, "" if rule.shared else key)
            if owner not in self._accounts:
                self._accounts[owner] = [_Account(window) for window in rule.windows]
            payers.append(self._accounts[owner])
        return payers

    def _key(self, key: str) -> _Key:
        return self._keys.setdefault(key, _Key())
