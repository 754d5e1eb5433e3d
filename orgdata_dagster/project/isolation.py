"""Isolation of broken vendors: one broken YAML file does not prevent the other vendors from loading.

Here: `load` for the UI, the daemon and their runs; `load_whole` for the command line, which refuses to start instead.
Keep out: finding the problems in the files (yaml_errors.py).

Dagster loads a project as a whole or not at all. If loading fails, each part of the defs folder is loaded separately. A
part that cannot be loaded is replaced by an asset that shows the reason.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.dagster_internals import components
from orgdata_dagster.project import file_problems
from orgdata_dagster.project.yaml_errors import problems

BROKEN = "not_loaded"


@dataclass(frozen=True)
class Loaded:
    """The definitions that could be loaded, and broken folder or file (without suffix) -> the reasons."""

    definitions: dg.Definitions
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)


def load_whole(project: Path) -> Loaded:
    """Load a project's defs folder without the UI's documentation of Component types. Raises if any part is broken."""
    file_problems.check(project)
    return Loaded(components.load_whole(project))


def load(project: Path) -> Loaded:
    """Load a project's defs folder; a broken part becomes the asset `<folder>/not_loaded`."""
    try:
        file_problems.check(project)
        return Loaded(dg.load_from_defs_folder(path_within_project=project))
    except Exception as reason:
        clashing = {file.parent for files in file_problems.found(project).values() for file in files}
        parts, broken = components.load_parts(project, settings.defs_folder(project), without=clashing)
        broken |= dict.fromkeys(sorted(clashing), reason)
        if not broken:
            raise  # every part loads separately, so that the parts contradict each other
        shown, reasons = list[dg.Definitions](), dict[str, Sequence[str]]()
        for path, error in broken.items():
            lines = reasons[path.stem] = problems(error, project, path)
            logging.getLogger("dagster").error("%s is not loaded: %s", path.name, "; ".join(lines))
            shown.append(_shown(path, lines))
        return Loaded(dg.Definitions.merge(*parts, *shown), reasons)


def _shown(path: Path, lines: Sequence[str]) -> dg.Definitions:
    """An asset that cannot run, in the group in which users expect the vendor's tables."""
    name = re.sub(r"\W", "_", path.stem)
    listed = "\n".join(f"- {line}" for line in lines)
    about = f"{path.name} could not be loaded, so its tables are missing here:\n\n{listed}\n\nCorrect it, then reload."
    return dg.Definitions(assets=[dg.AssetSpec([name, BROKEN], group_name=name, description=about)])
