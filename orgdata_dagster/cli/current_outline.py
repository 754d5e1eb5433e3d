"""The project's current outline: from the cache, or made from the definitions, which takes a second.

Here: `outline`. Keep out: whether the cached one is valid (overview/outline.py), loading definitions
(loaded_project.py).
"""

from __future__ import annotations

from orgdata_dagster.overview import outline as outlines
from orgdata_dagster.overview.outline import Outline


def outline() -> Outline:
    """The outline; it is cached for the next command. Raises UserError if the project has problems."""
    if found := outlines.cached():
        return found
    from orgdata_dagster.cli import loaded_project  # imports Dagster

    made = loaded_project.load().outline()
    outlines.keep(made)
    return made
