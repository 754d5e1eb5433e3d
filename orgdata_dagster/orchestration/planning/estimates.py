"""What a pull costs by a vendor's paging rules: each vendor says it, and the assets carry it.

Here: `Estimate` and how an asset carries it. Keep out: the rules (a vendor's component.py), and what the ledger knows
better (plans.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_METADATA = "orgdata/estimate"


@dataclass(frozen=True)
class Estimate:
    """The cost of a pull.

    `requests` per partition (per pull if the table has none), plus `per_run` once per run. `cost`: points per request.
    `exact`: the number is exact; otherwise it is the least that a pull takes.
    """

    requests: float
    per_run: float = 0
    exact: bool = False
    cost: float = 1

    def metadata(self) -> dict[str, dict[str, float]]:
        """For the asset's metadata."""
        return {_METADATA: asdict(self)}


def estimate_of(metadata: Mapping[str, Any]) -> Estimate:
    """The estimate that an asset carries; without one, at least one request per partition."""
    carried = metadata.get(_METADATA)
    return Estimate(**getattr(carried, "value", carried)) if carried else Estimate(1)
