"""A circuit breaker that all processes share: after a refusal that must not be repeated, no request is sent.

Here: `CircuitBreaker`, a file that outlives the process, and `CircuitOpen`, raised while it is open.
Add here when: the notice needs another fact for the user who resets the circuit breaker.
Keep out: which vendors have one (their resources), resetting it (the command line).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orgdata_dagster.http.errors import PermanentError

SUFFIX = ".circuit_breaker"


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
    """One vendor's circuit breaker: a file in `folder`, which every process checks before it sends a request.

    fingerprint: of the current credentials, see `fingerprint`.
    statuses: HTTP statuses that open it.
    """

    def __init__(
        self, vendor: str, folder: Path, *, fingerprint: str = "unknown", statuses: Collection[int] = (401,)
    ) -> None:
        self.vendor = vendor
        self.fingerprint = fingerprint
        self.statuses = frozenset(statuses)
        self._path = folder / f"{vendor}{SUFFIX}"

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
        """The notice if the circuit breaker is open, else None. An unreadable file counts as open."""
        try:
            return Notice(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            return Notice("an unknown day", f"an unreadable notice ({type(error).__name__})", "unknown")

    def set(self, reason: str) -> None:
        """Open the circuit breaker. If it is open already, the notice of the first refusal is kept."""
        if self._path.exists():
            return
        notice = Notice(datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), reason, self.fingerprint)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(asdict(notice)), encoding="utf-8")
        os.replace(part, self._path)

    def clear(self) -> Notice | None:
        """Close the circuit breaker; returns its notice."""
        notice = self.read()
        self._path.unlink(missing_ok=True)
        return notice


def fingerprint(secrets: Iterable[str]) -> str:
    """A short hash that identifies credentials without revealing them."""
    return hashlib.sha256("\0".join(secrets).encode(errors="surrogateescape")).hexdigest()[:12]
