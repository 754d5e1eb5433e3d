"""`orgdata prepare`: the preparations after every deployment without `orgdata dev`.

Here: the tables of Dagster's storage and the limits of the vendors' pools. Keep out: starting anything.
"""

from __future__ import annotations

from rich.console import Console

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.orchestration.instance.pools import limits_of
from orgdata_dagster.orchestration.instance.setup import make_ready, shared_instance


def prepare(console: Console, *, as_json: bool = False) -> None:
    """Create missing tables of Dagster's storage, set the limits of the pools, and fail runs whose process died."""
    resources = loaded_project.load(without_broken=True).resources
    with shared_instance() as instance:
        cleaned_up = list(make_ready(instance, resources))
        folder, pools = instance.root_directory, limits_of(resources)
    if as_json:
        print_json({"instance": folder, "cleaned_up_runs": cleaned_up, "pools": dict(pools)})
        return
    for run_id in cleaned_up:
        console.print(f"cleaned up run {run_id[:8]}, whose process was killed", highlight=False)
    console.print(f"Dagster instance ready: {folder}", highlight=False, soft_wrap=True)
    for name, limit in pools.items():
        console.print(f"pool {name}: {limit} steps at once", highlight=False)
