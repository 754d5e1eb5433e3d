"""What a pull costs. Here: `estimate`. Keep out: paging (walk.py), points of writes (sync/)."""

from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.octolis.client import READ_POINTS


def estimate() -> Estimate:
    """A page and the count at least; a walk over everything takes a page per 50,000 records more."""
    return Estimate(2, cost=READ_POINTS)
