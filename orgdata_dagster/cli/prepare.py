"""`orgdata prepare`: what has to be done once after every deployment without `orgdata dev`.

Here: the tables of Dagster's storage and the limits of the vendors' pools. Keep out: starting anything.
"""

from __future__ import annotations

from rich.console import Console

from orgdata_dagster.cli import catalog
from orgdata_dagster.orchestration.instance.pools import limits_of
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance


def prepare(console: Console) -> None:
    """Create the tables that are missing, set the pools' limits, and fail the runs whose process died."""
    resources = catalog.load(without_broken=True).resources
    with shared_instance() as instance:
        for run_id in make_ready(instance, resources):
            console.print(f"cleaned up run {run_id[:8]}, whose process was killed", highlight=False)
        console.print(f"Dagster instance ready: {instance.root_directory}", highlight=False, soft_wrap=True)
    for name, limit in limits_of(resources).items():
        console.print(f"pool {name}: {limit} steps at once", highlight=False)
