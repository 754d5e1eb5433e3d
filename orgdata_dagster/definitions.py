"""The Dagster code location, which workspace.yaml names."""

import dagster as dg

from orgdata_dagster.project.build import build_defs


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of the project."""
    return build_defs()
