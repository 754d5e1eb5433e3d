"""What a pull will cost, as a vendor's paging rules have it: told by each vendor, carried by its assets.

Here: `Estimate` and how an asset carries it. Keep out: the rules (a vendor's estimate.py), what the ledger knows better
(plans.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_METADATA = "orgdata/estimate"


@dataclass(frozen=True)
class Estimate:
    """Requests a partition (a pull, where there are none), and besides a run; `cost`: points a request.

    `exact`: not at least so many, but so many.
    """

    requests: float
    a_run: float = 0
    exact: bool = False
    cost: float = 1

    def metadata(self) -> dict[str, dict[str, float]]:
        """For the asset's metadata."""
        return {_METADATA: asdict(self)}


def estimate_of(metadata: Mapping[str, Any]) -> Estimate:
    """The estimate that an asset carries; without one, a request a partition at least."""
    carried = metadata.get(_METADATA)
    return Estimate(**getattr(carried, "value", carried)) if carried else Estimate(1)
