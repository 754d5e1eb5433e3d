"""All Dagster definitions of a project, assembled in one place. Tests use it too.

Here: `build_defs`. Add here when: a definition belongs to no single vendor. Keep out: vendors
(defs/<vendor>/defs.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals import quiet_events, step_failures
from orgdata_dagster.dagster_internals.event_batches import in_batches
from orgdata_dagster.dagster_internals.output_mirror import mirror_in_threads
from orgdata_dagster.file_modes import keep_private
from orgdata_dagster.http import redaction
from orgdata_dagster.orchestration.automation.alerts import channels, heartbeat
from orgdata_dagster.orchestration.automation.alerts.sensor import alerts_sensor
from orgdata_dagster.orchestration.automation.catch_up import catch_up_sensor
from orgdata_dagster.orchestration.automation.conditions import downstream_sensor
from orgdata_dagster.orchestration.automation.freshness import freshness_sensor
from orgdata_dagster.orchestration.automation.orphaned_runs_sensor import orphaned_runs_sensor
from orgdata_dagster.orchestration.instance import blocked_steps, lake_maintenance
from orgdata_dagster.orchestration.instance.executor import claiming_executor
from orgdata_dagster.orchestration.instance.retention import retention_job, retention_schedule
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.overview import asset as overview
from orgdata_dagster.project import isolation, yaml_files
from orgdata_dagster.project.stand_ins import stand_ins
from orgdata_dagster.project.unconfigured_vendors import shown_as_unconfigured
from orgdata_dagster.project.view_deps import on_tables


def build_defs(
    *, resource_overrides: Mapping[str, object] | None = None, project: Path | None = None, for_ui: bool = True
) -> dg.Definitions:
    """The definitions of the defs folder, the shared resources, the shared sensors and the executor.

    resource_overrides: resource key -> the resource to use instead.
    project: folder of a Dagster project, whose pyproject.toml names the package with the defs folder (default:
        settings.project_root()).
    for_ui: include the documentation of the Component types, which is slow, and replace broken parts by an asset
        with the reason (isolation.py). If false, a broken part raises its error.

    A resource that is used but not provided is replaced by a stand-in (stand_ins.py); in the UI, so is the resource of
    a vendor without credentials (unconfigured_vendors.py). Steps run in the process of their run, because they mostly
    wait, and one process per step would take seconds.
    """
    keep_private()
    redaction.install()
    channels.channels(), heartbeat.url()  # their URLs are redacted from now on
    blocked_steps.install()
    step_failures.install()
    quiet_events.install()
    in_batches()
    mirror_in_threads()
    root = project or settings.project_root()
    yaml_files.make_importable(root)
    loaded = isolation.load(root) if for_ui else isolation.load_whole(root)
    vendors = [each for each in (loaded.definitions.resources or {}).values() if isinstance(each, VendorResource)]
    defs = dg.Definitions.merge(
        loaded.definitions,
        dg.Definitions(
            resources={"warehouse": WarehouseResource()},
            sensors=[
                catch_up_sensor(vendors),
                alerts_sensor(vendors),
                freshness_sensor(vendors),
                downstream_sensor(),
                orphaned_runs_sensor,
            ],
            jobs=[retention_job],
            schedules=[retention_schedule],
            executor=claiming_executor,
        ),
        lake_maintenance.definitions(),
    )
    resources = {**(defs.resources or {}), **(resource_overrides or {})}
    seen = dg.Definitions(assets=[overview.spec], sensors=[overview.overview_sensor(resources)])
    defs = dg.Definitions.merge(defs, seen)
    assets = on_tables(list(defs.assets or ()))
    if for_ui:
        assets, resources = shown_as_unconfigured(assets, resources)
    defs = _with(defs, assets, resources)
    missing = stand_ins(defs, loaded.broken, all_missing=for_ui)
    return dg.Definitions.merge(defs, dg.Definitions(resources=missing)) if missing else defs


def _with(defs: dg.Definitions, assets: Sequence[Any], resources: Mapping[str, Any]) -> dg.Definitions:
    return dg.Definitions(
        assets=assets,
        asset_checks=defs.asset_checks,
        schedules=defs.schedules,
        sensors=defs.sensors,
        jobs=defs.jobs,
        executor=defs.executor,
        loggers=defs.loggers,
        metadata=defs.metadata,
        component_tree=defs.component_tree,
        resources=resources,
    )
