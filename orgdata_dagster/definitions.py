"""The code location: what workspace.yaml points at."""

import dagster as dg

from orgdata_dagster.project.build import build_defs


@dg.definitions
def defs() -> dg.Definitions:
    """Everything under defs/."""
    return build_defs()
