"""The vendor's side of a rate limit, written without looking at ours.

Here: a server's own book: which window pays is decided at arrival, in nominal windows without any margin.
Add here when: a vendor's documented limit works in another way.
Keep out: anything imported from the rate limit beyond the rule's figures, or it would repeat our mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable

from orgdata_dagster.http.rate_limit import Rule


class ServersBook:
    """Admits or rejects requests one by one in order of arrival."""

    def __init__(self, rule: Rule) -> None:
        self._buckets = [[(window, []) for window in bucket] for bucket in rule.buckets]

    def admit(self, at: float, cost: float) -> bool:
        """Whether a request of `cost` arriving at `at` is within all limits; if so it is paid."""
        payers = []
        for bucket in self._buckets:
            for window, paid in bucket:
                inside = sum(points for when, points in paid if when > at - window.seconds)
                if inside + cost <= window.points + 1e-9:
                    payers.append(paid)
                    break
            else:
                return False
        for paid in payers:
            paid.append((at, cost))
        return True


def rejected(rule: Rule, arrivals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (time, cost) pairs that a server keeping the rule would have refused."""
    book = ServersBook(rule)
    return [(at, cost) for at, cost in sorted(arrivals) if not book.admit(at, cost)]
