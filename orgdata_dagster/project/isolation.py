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
from dagster.components.core.component_tree import ComponentTree
from dagster.components.core.decl import ComponentDecl, DefsFolderDecl, build_filesystem_component_decl_from_context
from dagster.components.core.defs_module import ComponentPath

from orgdata_dagster.project.yaml_errors import problems

BROKEN = "not_loaded"


@dataclass(frozen=True)
class Loaded:
    """What was loaded, and what could not be: the reasons by folder or file, without its ending."""

    definitions: dg.Definitions
    broken: Mapping[str, Sequence[str]] = field(default_factory=dict)


def load_whole(project: Path) -> Loaded:
    """The definitions of a project's defs folder, without the UI's docs of Component types; raises what is wrong."""
    return Loaded(dg.ComponentTree.for_project(project).build_defs(Path(".")))


def load(project: Path) -> Loaded:
    """The definitions of a project's defs folder; of what cannot be loaded the asset `<folder>/not_loaded`."""
    try:
        return Loaded(dg.load_from_defs_folder(path_within_project=project))
    except Exception:
        parts, broken = _parts(project)
        if not broken:
            raise  # each is good by itself: they contradict each other
        shown, reasons = list[dg.Definitions](), dict[str, Sequence[str]]()
        for path, error in broken.items():
            lines = reasons[path.stem] = problems(error, project, path)
            logging.getLogger("dagster").error("%s is not loaded: %s", path.name, "; ".join(lines))
            shown.append(_shown(path, lines))
        return Loaded(dg.Definitions.merge(*parts, *shown), reasons)


def _parts(project: Path) -> tuple[list[dg.Definitions], dict[Path, Exception]]:
    """The definitions of each part of the defs folder, and the parts that have none, with the reason."""
    tree = dg.ComponentTree.for_project(project)
    parts, broken = list[dg.Definitions](), dict[Path, Exception]()
    for path in _readable(tree, broken):
        try:
            parts.append(tree.build_defs(path))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown, and the others load
            broken[path] = error
    return parts, broken


def _readable(tree: ComponentTree, broken: dict[Path, Exception]) -> list[Path]:
    """Have the tree hold only what can be read; what cannot is added to `broken`.

    It must be one tree, not one for each part: parts look each other up, as a sync does the vendor that it writes to.
    """
    folder = ComponentPath.from_path(tree.defs_module_path)
    context = tree.decl_load_context.for_component_loc(folder)
    children: dict[Path, ComponentDecl] = {}
    for path in sorted(tree.defs_module_path.iterdir()):
        try:
            child = build_filesystem_component_decl_from_context(
                context.for_component_loc(ComponentPath.from_path(path))
            )
        except Exception as error:  # noqa: BLE001 - as above
            broken[path] = error
        else:
            children |= {path: child} if child else {}
    only = DefsFolderDecl(context=context, loc=folder, children=children, source_tree=None, component_file_model=None)
    tree.state_tracker.set_cache_data(folder, component_decl=only)
    return list(children)


def _shown(path: Path, lines: Sequence[str]) -> dg.Definitions:
    """An asset that nobody can run, where a person looks for the vendor's tables."""
    name = re.sub(r"\W", "_", path.stem)
    listed = "\n".join(f"- {line}" for line in lines)
    about = f"**{path.name} could not be loaded**, its tables are missing here:\n\n{listed}\n\nMend it, then reload."
    return dg.Definitions(assets=[dg.AssetSpec([name, BROKEN], group_name=name, description=about)])
