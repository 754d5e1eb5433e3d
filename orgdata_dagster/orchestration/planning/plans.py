"""Plans of pulls: requests, points, share of the daily limit, time, and partitions that are unavailable.

Here: `plan_of` for an asset and `total` for a vendor. Keep out: printing it (cli/plan.py), estimates (estimates.py).

An exact estimate is used unchanged. Otherwise the ledger's closed partitions are used: the cost of a partition is that
of its last load, and the mean of all loads for a partition without one. If nothing has landed, the estimate is a
minimum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from orgdata_dagster.counting import counted
from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.orchestration.tags import PullKind

DAY_SECONDS = 86_400
_USUAL_ANSWER = 0.3  # seconds per answer, for a vendor without any request in the ledger


@dataclass(frozen=True)
class AssetPlan:
    """The plan of one asset.

    partitions: number of partitions to pull; 1 for a table without partitions.
    impossible: partitions that the vendor no longer provides.
    at_least: whether the figures are a minimum, because the number of pages is unknown.
    basis: where the figures come from, for users.
    loads: the number of loads in the ledger on which the figures are based; 0 if they are not based on loads.
    each: what one request is sent for, if a partition takes an unknown number of them, for example `row of projects`.
    """

    asset: str
    partitions: int
    impossible: tuple[str, ...]
    requests: int
    points: float
    at_least: bool
    basis: str
    loads: int = 0
    each: str = ""


@dataclass(frozen=True)
class VendorPlan:
    """The plan of one vendor.

    share: share of the points that the rate limit allows in a day; None without a limit.
    seconds: estimated duration.
    at_least: whether the figures are a minimum.
    """

    vendor: str
    requests: int
    points: float
    share: float | None
    seconds: float
    at_least: bool


def plan_of(
    asset: str,
    kind: PullKind,
    partitions: Sequence[str],
    today: str,
    estimate: Estimate,
    past: dict[str | None, float],
) -> AssetPlan:
    """Plan a pull of some partitions, or of the whole table if it has none.

    today: the current partition.
    past: partition -> requests of its last load, see `past_requests`.
    """
    possible = [today] if kind == "today" and today in partitions else list(partitions) if kind == "days" else []
    count = 1 if kind == "whole" else len(possible)
    impossible = tuple(name for name in partitions if name != today) if kind == "today" else ()
    loads = 0 if estimate.exact else len(past)
    if not loads:
        requests = count * estimate.requests + (estimate.per_run if count else 0)
        unknown = f"one request per {estimate.each}" if estimate.each else "no earlier partition has landed"
        basis = "the vendor's rules" if estimate.exact else f"the vendor's rules; {unknown}"
    else:
        mean = sum(past.values()) / len(past)
        names: Sequence[str | None] = [None] if kind == "whole" else possible
        requests = sum(past.get(name, mean) for name in names)
        basis = f"{counted(len(past), 'load')} in the ledger"
    whole = ceil(requests - 1e-9)
    at_least = not estimate.exact and not past and count > 0
    each = estimate.each if at_least else ""
    return AssetPlan(asset, count, impossible, whole, whole * estimate.cost, at_least, basis, loads, each)


def total(vendor: str, plans: Iterable[AssetPlan], rule: Rule, answer: float | None) -> VendorPlan:
    """Sum up a vendor's plans. `answer`: mean seconds per answer, None if unknown."""
    mine = list(plans)
    requests, points = sum(plan.requests for plan in mine), sum(plan.points for plan in mine)
    speed = rule.points_per_second
    waiting = points / speed if speed else 0.0
    asking = requests * (_USUAL_ANSWER if answer is None else answer) / (rule.in_flight or 4)
    share = points / (speed * DAY_SECONDS) if speed else None
    return VendorPlan(vendor, requests, points, share, max(waiting, asking), any(plan.at_least for plan in mine))
