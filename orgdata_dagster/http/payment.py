"""How the client pays: the part of a rate limit it needs, and the rate limit of a vendor that has no limits.

What lives here: two protocols and their empty case.
Add here when: the client has to tell a rate limit something more about a request.
Keep out: counting, windows and files (`rate_limit`).
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class VendorPaused(Exception):
    """The vendor wants no request for `asked` seconds more, longer than anybody here waits; `name` is the rate limit's.

    Nothing was sent, and nothing will be for `seconds`: the first request after them asks again.
    """

    def __init__(self, name: str, seconds: float, asked: float) -> None:
        super().__init__(f"{name} wants no request for {asked:.0f} s")
        self.seconds = seconds
        self.asked = asked


class PermitLike(Protocol):
    """A paid request; `waited` is in seconds, and may grow until it is sent."""

    @property
    def waited(self) -> float: ...
    def sent(self) -> None:
        """Tell the rate limit that the request's first bytes leave now."""

    def left(self) -> None:
        """Tell the rate limit that its last bytes have left."""

    def answered(self) -> None:
        """Tell the rate limit that its answer begins to arrive."""


class RateLimitLike(Protocol):
    """The rate limit as the client sees it; the real one is in `http/rate_limit`."""

    def spend(self, cost: float = 1) -> AbstractContextManager[PermitLike]:
        """Wait until a request of this cost may go; the context lasts until its answer is read."""

    def pause(self, seconds: float, asked: float | None = None) -> bool:
        """Let nobody send for this long; returns whether `spend` will wait for it, so that nobody else need do so.

        With `asked`, what the vendor wants where that is more than anybody waits, `spend` raises VendorPaused instead.
        """

    def charge(self, cost: float) -> None:
        """Pay for something that was done already, without waiting: later requests wait for it."""

    def failed(self) -> int:
        """Count a failure of the vendor; returns how many there were in a row, whichever process met them."""

    def succeeded(self) -> None:
        """Tell the rate limit that the vendor answers again."""


class Unbounded:
    """The rate limit of a vendor without limits."""

    waited = 0.0

    def spend(self, cost: float = 1) -> AbstractContextManager[PermitLike]:  # noqa: ARG002
        """A permit at once."""
        return nullcontext(self)

    def sent(self) -> None:
        """Nothing to date."""

    def left(self) -> None:
        """Nothing to date anew."""

    def answered(self) -> None:
        """Nothing to date anew."""

    def pause(self, seconds: float, asked: float | None = None) -> bool:  # noqa: ARG002
        """Nothing to hold back."""
        return False

    def charge(self, cost: float) -> None:
        """Nothing to pay."""

    def failed(self) -> int:
        """Nobody counts."""
        return 1

    def succeeded(self) -> None:
        """Nobody counts."""
