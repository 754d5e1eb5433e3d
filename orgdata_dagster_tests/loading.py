"""A Component's YAML as Dagster loads it, in a project that has nothing else.

Here: `loaded`, and `Loading` for a test that needs the same several times. Keep out: whole projects
(integration/project.py), runs.
"""

from __future__ import annotations

import os
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


class Loading:
    """Loads each YAML once: it takes longer than most pulls of a test. `resources`: see `loaded`."""

    def __init__(self, component: type[dg.Component], **resources: object) -> None:
        self._component, self._resources = component, resources
        self._loaded: dict[object, dg.Definitions] = {}

    def __call__(self, attributes: Mapping[str, Any]) -> dg.Definitions:
        """The definitions, as `loaded` gives them. Raises Refused."""
        key = yaml.safe_dump(dict(attributes)), frozenset(os.environ.items())
        if key not in self._loaded:
            self._loaded[key] = loaded(self._component, attributes, **self._resources)
        return self._loaded[key]
