"""The defs.yaml files of a project, the classes that they name, and the line of a field in one of them.

Here: functions that yaml_errors.py, file_problems.py and table_names.py share. Keep out: finding problems.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pydantic
import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.reasons import reason


def of(project: Path, part: Path | None = None) -> list[Path]:
    """The defs.yaml files of a project, or of one part of its defs folder, sorted."""
    return sorted((part or settings.defs_folder(project)).glob("**/defs.yaml"))


def make_importable(project: Path) -> None:
    """Make the package of a project importable, for a project with code that is not installed."""
    if (folder := str(settings.package_folder(project).parent)) not in sys.path:
        sys.path.append(folder)  # at the end, so that it shadows nothing


def component(kind: str) -> type[pydantic.BaseModel] | None:
    """The Component class of a `type:`; None if there is no such class, see `why_unknown`."""
    found = _imported(kind)
    return found if isinstance(found, type) and issubclass(found, pydantic.BaseModel) else None


def why_unknown(kind: str) -> str:
    """Why a `type:` is no Component class: its module cannot be imported, or has no such class."""
    module, _, name = kind.rpartition(".")
    found = _imported(kind)
    if found is None:
        return f"{module} has no class {name}"
    if isinstance(found, Exception):
        return f"cannot import {module}: {reason(found)}"
    return f"{name} in {module} is not a Component"


def _imported(kind: str) -> Any:
    """What a `type:` names, None if its module has no such name, or the exception that the import raises."""
    module, _, name = kind.rpartition(".")
    try:
        imported = import_module(module)
    except Exception as error:  # noqa: BLE001 - the module may be the user's own code
        return error
    return getattr(imported, name, None)


def line(node: yaml.Node, location: Sequence[int | str]) -> int:
    """The line number of a field, or of its nearest parent that exists. `location`: keys and indexes from the top."""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            # in block style a list starts on the line after its name
            node = pair[1] if part != location[-1] else pair[0]
    return int(node.start_mark.line) + 1


def as_written(node: yaml.Node, location: Sequence[int | str]) -> tuple[int | str, ...]:
    """Pydantic's location as a location in the document: pydantic also names the chosen member of a union."""
    found = list[int | str]()
    inside: yaml.Node | None = node
    is_chosen = False
    for part in location:
        if inside is None:
            found.append(part)
        elif isinstance(inside, yaml.SequenceNode) and isinstance(part, int):
            found.append(part)
            inside, is_chosen = inside.value[part], False
        elif isinstance(inside, yaml.MappingNode):
            fields = {key.value: value for key, value in inside.value}
            if not is_chosen and "type" in fields and fields["type"].value == part:
                is_chosen = True
                continue
            found.append(part)
            inside, is_chosen = fields.get(part), False
    return tuple(found)


def written(node: yaml.Node, location: Sequence[int | str]) -> bool:
    """Whether the document has this field. `location`: keys and indexes from the top."""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        else:
            pairs = node.value if isinstance(node, yaml.MappingNode) else ()
            found = next((value for key, value in pairs if key.value == part), None)
            if found is None:
                return False
            node = found
    return True


def field(location: Sequence[int | str]) -> str:
    """A location as text, such as `.tables[0].key`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
