"""The tables that a project's YAML files configure, each with its component and its place in the file.

Here: finding them without building Dagster's definitions. Keep out: presentation (cli/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import dagster as dg
import pydantic
import yaml

from orgdata_dagster import settings
from orgdata_dagster.project import yaml_files
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.base.stream import Stream


class NotConfigured(Exception):
    """No YAML file configures this table, or a file is invalid. The message lists the tables, or the problem."""


@dataclass(frozen=True)
class Configured:
    """A table in a YAML file. `document`: the YAML of its component, with line numbers."""

    component: VendorComponent
    stream: Stream
    file: Path
    document: yaml.Node

    @property
    def name(self) -> str:
        """`vendor/table`."""
        return self.stream.key.to_user_string()


@dataclass(frozen=True)
class FoundComponent:
    """A component in a YAML file. `document`: its YAML with line numbers."""

    component: dg.Component
    file: Path
    document: yaml.Node


def components(project: Path | None = None) -> Iterator[FoundComponent]:
    """Every component of the project's YAML files. Raises NotConfigured for an invalid file."""
    root = project or settings.project_root()
    yaml_files.make_importable(root)
    for file in yaml_files.of(root):
        text = file.read_text(encoding="utf-8")
        try:
            for document in filter(None, yaml.compose_all(text, yaml.SafeLoader)):
                content = yaml.safe_load(yaml.serialize(document))
                kind = yaml_files.component(str((content or {}).get("type")))
                if kind is not None and issubclass(kind, dg.Component) and issubclass(kind, dg.Resolvable):
                    made: Any = kind.resolve_from_yaml(yaml.safe_dump(content.get("attributes") or {}))
                    yield FoundComponent(made, file, document)
        except (yaml.YAMLError, pydantic.ValidationError, ValueError, AttributeError) as error:
            message = " ".join(str(error).split())
            raise NotConfigured(f"{settings.short(file)}: {message}; see `orgdata validate`") from None


def tables(project: Path | None = None, *, among: Iterable[FoundComponent] | None = None) -> Iterator[Configured]:
    """Every table into which a vendor's data is pulled, file by file. Raises NotConfigured for an invalid file.

    among: the project's components; None to read them from the YAML files.
    """
    for found in components(project) if among is None else among:
        if isinstance(found.component, VendorComponent):
            for stream in found.component.streams():
                yield Configured(found.component, stream, found.file, found.document)


def find(name: str, *, among: Iterable[FoundComponent] | None = None) -> Configured:
    """The table with this name, either `vendor/table` or `vendor.table`.

    among: the project's components; None to read them from the YAML files.

    Raises NotConfigured if there is no such table or a file is invalid.
    """
    wanted, there = name.replace(".", "/"), list[str]()
    for each in tables(among=among):
        if each.name == wanted:
            return each
        there.append(each.name)
    close = get_close_matches(wanted, there, n=2)
    hint = f"did you mean {' or '.join(close)}? There" if close else "there"
    raise NotConfigured(f"there is no table {name!r}; {hint} are: {', '.join(there) or 'none, see `orgdata validate`'}")
