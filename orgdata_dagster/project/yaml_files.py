"""The defs.yaml files of a project, and where something is in one.

Here: what both searches for problems need (yaml_errors.py, table_names.py). Keep out: the problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pydantic
import yaml


def of(project: Path, part: Path | None = None) -> list[Path]:
    """The files of a project, or of one part of its defs folder."""
    return sorted(part.glob("**/defs.yaml") if part else project.glob("*/defs/**/defs.yaml"))


def component(kind: str) -> type[pydantic.BaseModel] | None:
    """The Component of a `type:`; None where there is none."""
    module, _, name = kind.rpartition(".")
    try:
        found: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return None
    return found if isinstance(found, type) and issubclass(found, pydantic.BaseModel) else None


def line(node: yaml.Node, location: Sequence[int | str]) -> int:
    """The line of what a location names, or of the last part of it that is there."""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            # in block style a list begins on the line behind its name
            node = pair[1] if part != location[-1] else pair[0]
    return int(node.start_mark.line) + 1


def field(location: Sequence[int | str]) -> str:
    """A location as a person writes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def short(file: Path) -> str:
    """A file's path, below the working folder if it is there."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
