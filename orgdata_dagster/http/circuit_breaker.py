"""A circuit breaker that all processes share: after a refusal that must not be provoked twice, nobody asks again.

What lives here: `CircuitBreaker`, a small file that outlives the process, and `CircuitOpen`, raised while it is open.
Add here when: the sign has to say one more thing to the person who takes it down.
Keep out: which vendors want one (their resources), taking it down by hand (the command line).
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
    """The vendor refused an earlier request for good; this one was not sent."""


@dataclass(frozen=True)
class Notice:
    """What the sign says: when the refusal came (UTC, seconds), what the vendor said, and to whose credentials."""

    at: str
    reason: str
    fingerprint: str

    def __str__(self) -> str:
        return f"on {self.at} the vendor answered {self.reason} (credentials {self.fingerprint})"


class CircuitBreaker:
    """One vendor's circuit breaker: a file in `folder`, which every process looks at before it sends.

    `statuses` put it up. `fingerprint` tells the present credentials from those that were refused.
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
        """What a person has to do before anybody asks again."""
        return (
            f"The key may have been revoked: nobody asks again until you have checked it with the vendor and run "
            f"`orgdata doctor --clear {self.vendor}`."
        )

    def check(self) -> None:
        """Raise Latched if the sign is up."""
        if notice := self.read():
            raise CircuitOpen(f"no request was sent: {notice}", vendor=self.vendor, remedy=self.remedy)

    def read(self) -> Notice | None:
        """What the sign says, None if there is none. One that cannot be read is a sign all the same."""
        try:
            return Notice(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            return Notice("an unknown day", f"something that was not noted ({type(error).__name__})", "unknown")

    def set(self, reason: str) -> None:
        """Put the sign up; one that stands already stays as it is, for it tells of the first refusal."""
        if self._path.exists():
            return
        notice = Notice(datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), reason, self.fingerprint)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(asdict(notice)), encoding="utf-8")
        os.replace(part, self._path)

    def clear(self) -> Notice | None:
        """Take the sign down; returns what it said."""
        notice = self.read()
        self._path.unlink(missing_ok=True)
        return notice


def fingerprint(secrets: Iterable[str]) -> str:
    """A short name for credentials by which they can be told apart, and not found out."""
    return hashlib.sha256("\0".join(secrets).encode(errors="surrogateescape")).hexdigest()[:12]
