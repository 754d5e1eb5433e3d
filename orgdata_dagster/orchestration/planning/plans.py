"""What a pull would cost, before it is launched: requests, points, share of the day, time, and what cannot be had.

Here: `plan_of` an asset and `total` of a vendor. Keep out: showing it (cli/plan.py), the vendors' rules (estimates.py).

A rule that is exact counts; else the ledger's closed partitions do: each by its own last load, others by their mean;
else the rule's least.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from orgdata_dagster.http.rate_limit import Rule
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.orchestration.tags import PullKind

DAY_SECONDS = 86_400
_USUAL_ANSWER = 0.3  # seconds, of a vendor that was never asked


@dataclass(frozen=True)
class AssetPlan:
    """An asset's part. `at_least`: nothing is known of how many pages there are. `basis`: where the number is from."""

    asset: str
    partitions: int
    impossible: tuple[str, ...]
    requests: int
    points: float
    at_least: bool
    basis: str


@dataclass(frozen=True)
class VendorPlan:
    """A vendor's part: `share` of the points of a day, None where there is no limit; `seconds` until it is done."""

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
    """What pulling `partitions` would take (of a table without any: the whole). `past`: requests by partition."""
    possible = [today] if kind == "today" and today in partitions else list(partitions) if kind == "days" else []
    count = 1 if kind == "whole" else len(possible)
    impossible = tuple(name for name in partitions if name != today) if kind == "today" else ()
    if estimate.exact or not past:
        requests = count * estimate.requests + (estimate.per_run if count else 0)
        basis = "the vendor's rules" if estimate.exact else "the vendor's rules, nothing landed yet"
    else:
        mean = sum(past.values()) / len(past)
        names: Sequence[str | None] = [None] if kind == "whole" else possible
        requests = sum(past.get(name, mean) for name in names)
        basis = f"{len(past)} loads in the ledger"
    whole = ceil(requests - 1e-9)
    at_least = not estimate.exact and not past and count > 0
    return AssetPlan(asset, count, impossible, whole, whole * estimate.cost, at_least, basis)


def total(vendor: str, plans: Iterable[AssetPlan], rule: Rule, answer: float | None) -> VendorPlan:
    """The sum of a vendor's plans; `answer`: seconds its answers took on average, None if it was never asked."""
    mine = list(plans)
    requests, points = sum(plan.requests for plan in mine), sum(plan.points for plan in mine)
    speed = rule.points_per_second
    waiting = points / speed if speed else 0.0
    asking = requests * (_USUAL_ANSWER if answer is None else answer) / (rule.in_flight or 4)
    share = points / (speed * DAY_SECONDS) if speed else None
    return VendorPlan(vendor, requests, points, share, max(waiting, asking), any(plan.at_least for plan in mine))
