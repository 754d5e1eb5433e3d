"""Estimates of what a pull costs, from a vendor's paging rules. They are stored in the assets' metadata.

Here: `Estimate`, and reading and writing it. Keep out: the rules (a vendor's component.py), and estimates from the
ledger (plans.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_METADATA = "orgdata/estimate"


@dataclass(frozen=True)
class Estimate:
    """The cost of a pull.

    requests: requests per partition (per pull if the table has no partitions).
    per_run: requests once per run.
    exact: the number is exact; otherwise it is a minimum.
    cost: points per request.
    """

    requests: float
    per_run: float = 0
    exact: bool = False
    cost: float = 1

    def metadata(self) -> dict[str, dict[str, float]]:
        """The asset metadata that holds this estimate."""
        return {_METADATA: asdict(self)}


def estimate_of(metadata: Mapping[str, Any]) -> Estimate:
    """The estimate in an asset's metadata; if there is none, at least one request per partition."""
    carried = metadata.get(_METADATA)
    return Estimate(**getattr(carried, "value", carried)) if carried else Estimate(1)
