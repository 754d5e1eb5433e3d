"""Everything Dagster knows of orgdata, assembled in one place; tests use it too.

Here: `build_defs`. Add here: what belongs to no vendor. Keep out: vendors (defs/<vendor>/defs.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from orgdata_dagster.http import redaction
from orgdata_dagster.orchestration.resources import WarehouseResource


def build_defs(
    *, resource_overrides: Mapping[str, object] | None = None, project: Path | None = None
) -> dg.Definitions:
    """The definitions of the defs folder, the shared resources and the executor.

    `resource_overrides` replaces resources by key. Steps run in the run's own process: the work is waiting for vendors,
    and a process a step would cost seconds; several runs run side by side.
    """
    redaction.install()
    loaded = dg.load_from_defs_folder(path_within_project=project or Path(__file__).parent)
    defs = dg.Definitions.merge(
        loaded, dg.Definitions(resources={"warehouse": WarehouseResource()}, executor=dg.in_process_executor)
    )
    if not resource_overrides:
        return defs
    return dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        schedules=defs.schedules,
        sensors=defs.sensors,
        jobs=defs.jobs,
        executor=defs.executor,
        resources={**(defs.resources or {}), **resource_overrides},
    )
