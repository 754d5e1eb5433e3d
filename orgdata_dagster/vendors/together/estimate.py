"""What a pull costs. Here: `estimate`. Keep out: the limit (client.py)."""

from orgdata_dagster.orchestration.planning.estimates import Estimate


def estimate() -> Estimate:
    """A report is one request, whatever its size."""
    return Estimate(1, exact=True)
