"""What a pull costs. Here: `estimate`. Keep out: paging (walk.py)."""

from orgdata_dagster.orchestration.planning.estimates import Estimate


def estimate() -> Estimate:
    """A page a day at least; how many more depends on the rows, which only the ledger can tell."""
    return Estimate(1)
