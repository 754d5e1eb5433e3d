"""A vendor whose files are broken does not take the others down.

Here: `load`, for the UI, the daemon and their runs. Keep out: what is wrong with the files (yaml_errors.py). The
command line does not come here: it refuses to begin, with every problem in a line.

Dagster loads a project whole or not at all. So where that fails each part of the defs folder is loaded by itself, and
those that cannot be are shown as an asset that says why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from orgdata_dagster.dagster_internals import components
from orgdata_dagster.project import table_names
from orgdata_dagster.project.yaml_errors import problems

BROKEN = "not_loaded"


@dataclass(frozen=True)
class Loaded:
    """What was loaded, and what could not be: the reasons by folder or file, without its ending."""

    definitions: dg.Definitions
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)


def load_whole(project: Path) -> Loaded:
    """The definitions of a project's defs folder, without the UI's docs of Component types; raises what is wrong."""
    table_names.check(project)
    return Loaded(components.load_whole(project))


def load(project: Path) -> Loaded:
    """The definitions of a project's defs folder; of what cannot be loaded the asset `<folder>/not_loaded`."""
    try:
        table_names.check(project)
        return Loaded(dg.load_from_defs_folder(path_within_project=project))
    except Exception as reason:
        clashing = {file.parent for files in table_names.clashes(project).values() for file in files}
        parts, broken = components.load_parts(project, without=clashing)
        broken |= dict.fromkeys(sorted(clashing), reason)
        if not broken:
            raise  # each is good by itself: they contradict each other
        shown, reasons = list[dg.Definitions](), dict[str, Sequence[str]]()
        for path, error in broken.items():
            lines = reasons[path.stem] = problems(error, project, path)
            logging.getLogger("dagster").error("%s is not loaded: %s", path.name, "; ".join(lines))
            shown.append(_shown(path, lines))
        return Loaded(dg.Definitions.merge(*parts, *shown), reasons)


def _shown(path: Path, lines: Sequence[str]) -> dg.Definitions:
    """An asset that nobody can run, where a person looks for the vendor's tables."""
    name = re.sub(r"\W", "_", path.stem)
    listed = "\n".join(f"- {line}" for line in lines)
    about = f"**{path.name} could not be loaded**, its tables are missing here:\n\n{listed}\n\nMend it, then reload."
    return dg.Definitions(assets=[dg.AssetSpec([name, BROKEN], group_name=name, description=about)])
