"""A circuit breaker that all processes share: after a refusal that must not be repeated, no request is sent.

Here: `CircuitBreaker`, a note in the shared state, which outlives the process, and `CircuitOpen`, raised while it is
open.
Add here when: the notice needs another fact for the user who resets the circuit breaker.
Keep out: which vendors have one (their resources), resetting it (the command line).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.state import State

_NOTES = "circuit_breakers"
AT = "%Y-%m-%d %H:%M:%S UTC"
"""How a notice says when it was made."""


class CircuitOpen(PermanentError):
    """The vendor permanently refused an earlier request; this one was not sent."""


@dataclass(frozen=True)
class Notice:
    """Why the circuit breaker is open: time of the refusal (UTC), the vendor's answer, the credentials' fingerprint."""

    at: str
    reason: str
    fingerprint: str

    def __str__(self) -> str:
        return f"on {self.at} the vendor answered {self.reason} (credentials {self.fingerprint})"


class CircuitBreaker:
    """One vendor's circuit breaker: a note in the shared state, which every process reads before it sends a request.

    fingerprint: fingerprint of the current credentials, see the function `fingerprint`.
    statuses: HTTP statuses that open it.
    """

    def __init__(
        self, vendor: str, state: State, *, fingerprint: str = "unknown", statuses: Collection[int] = (401,)
    ) -> None:
        self.vendor = vendor
        self.fingerprint = fingerprint
        self.statuses = frozenset(statuses)
        self._notes = state.notes(_NOTES)

    @property
    def remedy(self) -> str:
        """What the user has to do before requests are sent again."""
        return (
            f"The key may have been revoked: no request is sent until you have checked it with the vendor and run "
            f"`orgdata doctor --clear {self.vendor}`."
        )

    def check(self) -> None:
        """Raise CircuitOpen if the circuit breaker is open."""
        if notice := self.read():
            raise CircuitOpen(f"no request was sent: {notice}", vendor=self.vendor, remedy=self.remedy)

    def read(self) -> Notice | None:
        """The notice if the circuit breaker is open, else None. An unreadable note counts as open."""
        try:
            text = self._notes.read(self.vendor)
            return None if text is None else Notice(**json.loads(text))
        except (OSError, ValueError, TypeError) as error:
            return Notice("an unknown day", f"an unreadable notice ({type(error).__name__})", "unknown")

    def set(self, reason: str) -> None:
        """Open the circuit breaker. If it is open already, the notice of the first refusal is kept."""
        notice = Notice(datetime.now(UTC).strftime(AT), reason, self.fingerprint)
        self._notes.add(self.vendor, json.dumps(asdict(notice)))

    def clear(self) -> Notice | None:
        """Close the circuit breaker; returns its notice."""
        notice = self.read()
        self._notes.remove(self.vendor)
        return notice


def fingerprint(secrets: Iterable[str]) -> str:
    """A short hash that identifies credentials without revealing them."""
    return hashlib.sha256("\0".join(secrets).encode(errors="surrogateescape")).hexdigest()[:12]
