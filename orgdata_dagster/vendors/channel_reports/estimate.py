"""What a pull costs. Here: `estimate`. Keep out: the pull (pulls.py)."""

from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.vendors.channel_reports.endpoints import Endpoint


def estimate(endpoint: Endpoint | None, channels: int, fields: int) -> Estimate:
    """A request a channel and window, and a field where it goes by field. No endpoint: the forms alone.

    `fields`: those that are listed; 0 if they are asked for, once a run and channel: only the ledger can tell how many.
    """
    if endpoint is None or not endpoint.by_field:
        return Estimate(channels, exact=True)
    return Estimate(channels * fields, exact=True) if fields else Estimate(channels, a_run=channels)
