"""What a pull costs. Here: `estimate`. Keep out: paging (paging.py, walk.py)."""

from orgdata_dagster.orchestration.planning.estimates import Estimate


def estimate() -> Estimate:
    """A page at least, of a day or of the whole; how many more depends on the rows, which only the ledger can tell."""
    return Estimate(1)
