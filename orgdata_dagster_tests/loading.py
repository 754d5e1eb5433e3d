"""A Component's YAML as Dagster loads it, in a project that has nothing else.

Here: `loaded`. Keep out: whole projects (integration/project.py), runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.project.yaml_errors import problems


class Refused(Exception):
    """What a user is told of YAML that cannot be loaded."""


def loaded(component: type[dg.Component], attributes: Mapping[str, Any], **resources: object) -> dg.Definitions:
    """The definitions of one defs.yaml, with the warehouse; `resources` are added, or replace those it has.

    Raises Refused.
    """
    document = {"type": f"orgdata_dagster.{component.__name__}", "attributes": dict(attributes)}
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.defs_folder_path / "vendor"
        folder.mkdir()
        (folder / "defs.yaml").write_text(yaml.safe_dump(document))
        try:
            with sandbox.load_component_and_build_defs(folder) as (made, defs):
                assert isinstance(made, component)
        except Exception as error:
            raise Refused("; ".join(problems(error, sandbox.project_root))) from error
    given = {"warehouse": WarehouseResource(), **(defs.resources or {}), **resources}
    return dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        schedules=defs.schedules,
        sensors=defs.sensors,
        resources=given,
        executor=dg.in_process_executor,
    )
