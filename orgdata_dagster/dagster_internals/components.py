"""Loading a project's defs folder faster, and part by part.

Here: `load_whole` and `load_parts`. Keep out: replacing parts that cannot be loaded (project/isolation.py).

Why: Dagster's public `load_from_defs_folder` also builds the documentation of every Component type, which takes longer
than the rest, and it loads a project as a whole or not at all.
Fallback: `load_from_defs_folder`; for parts, on copies of the project with one part each, then with all good parts.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private

if TYPE_CHECKING:
    from dagster.components.core.component_tree import ComponentTree

Parts = tuple[list[dg.Definitions], dict[Path, Exception]]
_numbers = count(1)


def load_whole(project: Path) -> dg.Definitions:
    """Load a project's defs folder. Raises the error of a broken part."""
    try:
        with private("ComponentTree"):
            build = dg.ComponentTree.for_project(project).build_defs
    except NotThere:
        return dg.load_from_defs_folder(path_within_project=project)
    return build(Path("."))


def load_parts(project: Path, defs: Path, *, without: Collection[Path] = ()) -> Parts:
    """Load each part of the defs folder; returns the definitions, and broken part -> error.

    defs: the project's defs folder. without: files or folders that are not loaded.
    """
    try:
        with private("parts of a ComponentTree"):
            from dagster.components.core import component_tree, decl, defs_module  # noqa: F401 - looked for, used below
    except NotThere:
        return _by_copies(defs, without)
    tree = dg.ComponentTree.for_project(project)
    parts, broken = list[dg.Definitions](), dict[Path, Exception]()
    for path in _readable(tree, broken, without):
        try:
            parts.append(tree.build_defs(path))
        except Exception as error:  # noqa: BLE001 - is shown, and the other parts load
            broken[path] = error
    return parts, broken


def _readable(tree: ComponentTree, broken: dict[Path, Exception], without: Collection[Path]) -> list[Path]:
    """Restrict the tree to the parts that can be read; the others are added to `broken`.

    The parts must be in one tree, because they refer to each other, for example a sync to its vendor.
    """
    from dagster.components.core.decl import ComponentDecl, DefsFolderDecl, build_filesystem_component_decl_from_context
    from dagster.components.core.defs_module import ComponentPath

    folder = ComponentPath.from_path(tree.defs_module_path)
    context = tree.decl_load_context.for_component_loc(folder)
    children: dict[Path, ComponentDecl] = {}
    for path in sorted(tree.defs_module_path.iterdir()):
        if _contains(path, without):
            continue
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


def _contains(path: Path, without: Collection[Path]) -> bool:
    return any(each.is_relative_to(path) for each in without)


def _by_copies(defs: Path, without: Collection[Path]) -> Parts:
    broken: dict[Path, Exception] = {}
    good = list[Path]()
    for path in sorted(defs.iterdir()):
        if path.name.startswith(("_", ".")) or _contains(path, without):
            continue
        try:
            with _copy([path]) as copied:
                dg.load_from_defs_folder(path_within_project=copied)
        except Exception as error:  # noqa: BLE001 - as above
            broken[path] = error
        else:
            good.append(path)
    with _copy(good) as copied:
        return [dg.load_from_defs_folder(path_within_project=copied)], broken


@contextmanager
def _copy(parts: Sequence[Path]) -> Iterator[Path]:
    """A project with only these parts, in a package with a new name, because Python caches modules by name."""
    package = f"orgdata_parts_{next(_numbers)}"
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / package / "defs").mkdir(parents=True)
        for inner in (root / package, root / package / "defs"):
            (inner / "__init__.py").touch()
        for part in parts:
            (root / package / "defs" / part.name).symlink_to(part)
        (root / "pyproject.toml").write_text(
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
        )
        sys.path.insert(0, folder)
        try:
            yield root
        finally:
            sys.path.remove(folder)
