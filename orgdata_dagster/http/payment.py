"""How the client pays: the part of a rate budget it needs, and the budget of a vendor that has no limits.

What lives here: two protocols and their empty case.
Add here when: the client has to tell a budget something more about a request.
Keep out: counting, windows and files (`budget`).
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class PermitLike(Protocol):
    """A paid request; `waited` is in seconds, and may grow until it is sent."""

    @property
    def waited(self) -> float: ...
    def sent(self) -> None:
        """Tell the budget that the request's first bytes leave now."""

    def left(self) -> None:
        """Tell the budget that its last bytes have left."""

    def answered(self) -> None:
        """Tell the budget that its answer begins to arrive."""


class BudgetLike(Protocol):
    """The rate budget as the client sees it; the real one is in `http/budget`."""

    def spend(self, cost: float = 1) -> AbstractContextManager[PermitLike]:
        """Wait until a request of this cost may go; the context lasts until its answer is read."""

    def pause(self, seconds: float) -> None:
        """Let nobody send for this long."""


class Unbounded:
    """The budget of a vendor without limits."""

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

    def pause(self, seconds: float) -> None:
        """Nothing to hold back."""
