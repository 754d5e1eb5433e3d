"""Estimates of what a pull costs, from a vendor's paging rules. They are stored in a tag of the asset's op.

Here: `Estimate`, and reading and writing it. Keep out: the rules (a vendor's component.py), and estimates from the
ledger (plans.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from orgdata_dagster.orchestration.tags import ESTIMATE_TAG


@dataclass(frozen=True)
class Estimate:
    """The cost of a pull.

    requests: requests per partition (per pull if the table has no partitions).
    per_run: additional requests, once per run.
    exact: whether the numbers are exact; otherwise they are a minimum.
    cost: points per request.
    each: what one request is sent for, if a partition takes an unknown number of them, for example `row of projects`.
    """

    requests: float
    per_run: float = 0
    exact: bool = False
    cost: float = 1
    each: str = ""

    def as_tag(self) -> str:
        """The value of the tag that holds this estimate."""
        return json.dumps(asdict(self))


def estimate_of(tags: Mapping[str, str]) -> Estimate:
    """The estimate in the tags of an asset's op; if there is none, at least one request per partition."""
    carried = tags.get(ESTIMATE_TAG)
    return Estimate(**json.loads(carried)) if carried else Estimate(1)
