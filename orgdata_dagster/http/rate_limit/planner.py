"""When a request may be sent, and which windows it is charged to: pure arithmetic.

Here: `earliest`, and the proof that the vendor, which counts by itself, never refuses a request.
Add here when: a rule has a new kind of limit.
Keep out: clocks, files, sleeping, and the queue (reservations.py, rate_limit.py).

Why both counts agree
---------------------
The vendor itself decides which window of a bucket a request is charged to: the first one with enough room AT ARRIVAL. A
request arrives at most the slack (margin x shortest window) after the time that we recorded, and this can change the
choice. If we charged "per minute" where the vendor charges "per second", a later request would find less room there
than we think. A request is therefore sent only when the choice is certain, which takes some hundredths of a second:

- A window is charged only once the cost CERTAINLY fits: every payment that may still count is counted, in a window
  that is longer by the slack.
- A less preferred window is charged only while the cost CERTAINLY does not fit the preferred ones: only payments that
  are known to have reached the vendor are counted (a waiting process may be killed), in a window that is shorter by the
  slack.
- Two requests within the slack may arrive in either order. With equal costs that makes no difference, and neither does
  it within one window. An expensive request charged to the first window and a cheap one charged to the second must not
  swap, so requests with different costs and different windows keep the slack between them.

By induction the vendor makes the same choice, with each payment at most the slack later, which longer windows cover.
A payment that we recorded but the vendor never received only makes our count higher. Times never decrease along the
queue (first come, first served), so no request has to consider later ones.
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

    windows: per bucket, the windows that it counts against: the charged one; all, if that is unknown; none, if the
        bucket does not apply.
    proven: time from which on the vendor is certain to have charged just these windows; a guess for requests that are
        still to be sent.
    """

    at: float
    cost: float
    windows: tuple[tuple[int, ...], ...]
    proven: float = -math.inf


class _Opening(NamedTuple):
    """When a cost fits a window: certainly from `certain` on, certainly not between `shut` and `possible`."""

    certain: float
    shut: float
    possible: float


def earliest(rule: Rule, spent: Sequence[Spent], cost: float, now: float) -> tuple[float, tuple[int, ...]]:
    """The earliest time at which `cost` may be sent, and the index of the charged window per bucket.

    spent: earlier payments; the result is not before any of them.
    cost: points; must have passed `rule.check`.
    now: in seconds, like the result.
    """
    newest_first = sorted(spent, key=attrgetter("at"), reverse=True)
    buckets = [_openings(rule, bucket, index, newest_first, cost) for index, bucket in enumerate(rule.buckets)]
    at = max(now, newest_first[0].at) if newest_first else now
    while True:
        payers = [_payer(openings, at) for openings in buckets]
        latest = max((start for start, _ in payers), default=at)
        if latest <= at:
            return at, tuple(window for _, window in payers)
        at = latest  # by then the choice in another bucket may have changed, so check all again


def _payer(openings: Sequence[_Opening], at: float) -> tuple[float, int]:
    """The first time from `at` on at which the charged window is certain, and that window."""
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
    """The time of the payment that must leave the window before at most `room` points are taken, and the time from
    which on the payments that decide this are proven.
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
