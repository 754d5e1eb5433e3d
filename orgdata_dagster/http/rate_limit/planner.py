"""When a request may go, and which windows pay for it: pure arithmetic.

Here: `earliest`, and the reasoning why the vendor, who keeps books of its own, never says no.
Add here when: a rule gains a new kind of bound.
Keep out: clocks, files, sleeping, and who is waiting (ledger.py, rate_limit.py).

Why the two books agree
-----------------------
The vendor decides itself which window of a bucket pays: the first that fits AT ARRIVAL. A request arrives at
most the slack (margin x shortest window) after the time in our book, and by such a little the choice can tip. If
we booked "per minute" where the vendor paid "per second", a later request would find less room there than we
think. So a request goes only when the choice cannot tip; in between it waits, some hundredths of a second:

- a window pays only once the cost CERTAINLY fits: every payment that may still count is counted, in a window
  stretched by the slack;
- a less preferred window pays only while the cost CERTAINLY does not fit the preferred ones: only payments known
  to have reached the vendor are counted (a waiting process may be killed), in a window shortened by the slack;
- two requests closer than the slack may arrive in either order. Equal costs merely swap names, and what one
  window pays fits it in any order; but a dear one paid by the first window and a cheap one by the second must
  not swap, so requests of different costs paid by different windows keep the slack between them.

By induction the vendor's choice is ours, each payment at most the slack later, which the stretching covers; and
what we booked but the vendor never got only makes our book the fuller one. Times never decrease along the queue
(first come, first served), so nobody has to look ahead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from orgdata_dagster.http.rate_limit.rule import Bucket, Rule, Window

# costs may be fractions: 0.1 x 10 must fit into 1
_ROUNDING = 1e-9


class Spent(NamedTuple):
    """One earlier payment.

    `windows` names for each bucket the windows it counts against: the one that paid; all, if that is not
    known; none, if it is no matter of this bucket. `proven`: from when on it may be relied upon to stand in the
    vendor's book too, in just those windows; for what is still to be sent this is a guess.
    """

    at: float
    cost: float
    windows: tuple[tuple[int, ...], ...]
    proven: float = -math.inf


class _Opening(NamedTuple):
    """When a cost fits one window: certainly from `certain` on, certainly not from `shut` until `possible`."""

    certain: float
    shut: float
    possible: float


def earliest(rule: Rule, spent: Sequence[Spent], cost: float, now: float) -> tuple[float, tuple[int, ...]]:
    """When `cost` may be sent at the earliest (seconds, as `now`; not before any of `spent`), and which window
    of each bucket pays (its index). `cost` must have passed `rule.check`.
    """
    newest_first = sorted(spent, key=attrgetter("at"), reverse=True)
    buckets = [_openings(rule, bucket, index, newest_first, cost) for index, bucket in enumerate(rule.buckets)]
    at = max(now, newest_first[0].at) if newest_first else now
    while True:
        payers = [_payer(openings, at) for openings in buckets]
        latest = max((start for start, _ in payers), default=at)
        if latest <= at:
            return at, tuple(window for _, window in payers)
        at = latest  # by then another bucket's choice may have changed, so ask them all again


def _payer(openings: Sequence[_Opening], at: float) -> tuple[float, int]:
    """The first time from `at` on when it is beyond doubt which window pays, and that window."""
    best, paying = math.inf, 0
    shut, possible = -math.inf, math.inf  # between the two every preferred window certainly refuses
    for index, opening in enumerate(openings):
        start = max(at, opening.certain, shut)
        if start < best and start < possible:
            best, paying = start, index
        shut, possible = max(shut, opening.shut), min(possible, opening.possible)
    return best, paying


def _openings(rule: Rule, bucket: Bucket, index: int, newest_first: Sequence[Spent], cost: float) -> list[_Opening]:
    openings = []
    for number, window in enumerate(bucket):
        paid = [payment for payment in newest_first if number in payment.windows[index]]
        opening = _opening(window, rule.slack, paid, cost)
        if len(bucket) > 1:
            apart = _last_of_other_cost(newest_first, cost, index, number) + rule.slack
            opening = opening._replace(certain=max(opening.certain, apart))
        openings.append(opening)
    return openings


def _opening(window: Window, slack: float, paid: Sequence[Spent], cost: float) -> _Opening:
    room = window.points - cost + _ROUNDING
    if room < 0:
        return _Opening(certain=math.inf, shut=-math.inf, possible=math.inf)
    last, _ = _full_until(paid, room)
    proven_last, shut = _full_until([payment for payment in paid if payment.proven < math.inf], room)
    return _Opening(last + window.seconds + slack, shut, proven_last + window.seconds - slack)


def _full_until(newest_first: Sequence[Spent], room: float) -> tuple[float, float]:
    """The date of the payment that has to leave the window before no more than `room` is taken, and from when
    on all the payments that say so are proven.
    """
    proven = -math.inf
    for payment in newest_first:
        room -= payment.cost
        proven = max(proven, payment.proven)
        if room < 0:
            return payment.at, proven
    return -math.inf, -math.inf


def _last_of_other_cost(newest_first: Sequence[Spent], cost: float, index: int, number: int) -> float:
    for payment in newest_first:
        paying = payment.windows[index]
        if payment.cost != cost and paying and number not in paying:
            return payment.at
    return -math.inf
