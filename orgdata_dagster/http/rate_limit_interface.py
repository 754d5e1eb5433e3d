"""The interface between the client and a rate limit, and the rate limit of a vendor without limits.

Here: two protocols and their no-op implementation.
Add here when: the client has to report another fact about a request to the rate limit.
Keep out: counting, windows and files (rate_limit/).
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class VendorPaused(Exception):
    """The vendor asks for a pause of `requested` more seconds, longer than `longest_pause`. Nothing was sent.

    name: name of the rate limit.
    seconds: seconds until requests are sent again.
    """

    def __init__(self, name: str, seconds: float, requested: float) -> None:
        super().__init__(f"{name} wants no request for {requested:.0f} s")
        self.seconds = seconds
        self.requested = requested


class PermitLike(Protocol):
    """Permission to send one request. `waited`: seconds waited; may grow until the request is sent."""

    @property
    def waited(self) -> float: ...
    def sent(self) -> None:
        """Report that the request's first bytes are sent now."""

    def left(self) -> None:
        """Report that the request's last bytes have been sent."""

    def answered(self) -> None:
        """Report that the answer starts to arrive."""


class RateLimitLike(Protocol):
    """What the client needs of a rate limit; implemented in http/rate_limit/."""

    def spend(self, cost: float = 1) -> AbstractContextManager[PermitLike]:
        """Wait until a request of this cost may be sent; the context lasts until its answer is read."""

    def pause(self, seconds: float, requested: float | None = None) -> bool:
        """Stop the requests of all processes for this many seconds; returns whether `spend` waits for the pause's end.

        requested: seconds that the vendor asks for, if longer than `longest_pause`; `spend` then raises VendorPaused.
        """

    def charge(self, cost: float) -> None:
        """Record points that were spent already, without waiting. Later requests wait for them."""

    def failed(self) -> int:
        """Count a failure of the vendor; returns the number of consecutive failures in all processes."""

    def succeeded(self) -> None:
        """Report that the vendor answers again."""


class Unbounded:
    """The rate limit of a vendor without limits."""

    waited = 0.0

    def spend(self, cost: float = 1) -> AbstractContextManager[PermitLike]:  # noqa: ARG002
        """Return a permit without waiting."""
        return nullcontext(self)

    def sent(self) -> None:
        """No-op: there is no reservation."""

    def left(self) -> None:
        """No-op: there is no reservation to correct."""

    def answered(self) -> None:
        """No-op: there is no reservation to correct."""

    def pause(self, seconds: float, requested: float | None = None) -> bool:  # noqa: ARG002
        """No-op: `spend` does not wait for pauses."""
        return False

    def charge(self, cost: float) -> None:
        """No-op: nothing is counted."""

    def failed(self) -> int:
        """No-op."""
        return 1

    def succeeded(self) -> None:
        """No-op."""
