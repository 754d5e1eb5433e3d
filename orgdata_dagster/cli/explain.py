"""`orgdata explain VENDOR/TABLE`: every YAML option that applies, with its value, source and meaning.

Here: collecting and printing the options. Keep out: the options themselves (orchestration/config/, the vendors).
"""

from __future__ import annotations

import inspect
import json
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http.redaction import redact
from orgdata_dagster.orchestration.resources import VendorResource
from orgdata_dagster.project import configured_tables, yaml_files
from orgdata_dagster.project.configured_tables import FoundComponent, NotConfigured
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.writeback.component import SyncComponent

_TABLES = "tables"
Location = tuple[int | str, ...]


@dataclass(frozen=True)
class Option:
    """An option.

    option: its path below `attributes`, such as `limits.concurrent`.
    value: as in YAML and JSON.
    file, line: where it is set; None for the default.
    """

    option: str
    value: Any
    file: str | None
    line: int | None
    description: str

    @property
    def source(self) -> str:
        """The file and line where it is set, or `default`."""
        return f"{self.file}:{self.line}" if self.file else "default"


@dataclass(frozen=True)
class Variable:
    """An environment variable that the vendor reads; its value is never shown."""

    name: str
    set: bool
    required: bool


@dataclass(frozen=True)
class Explained:
    """An asset's options: those of the vendor that apply to it, then its own."""

    asset: str
    type: str
    file: str
    options: list[Option]
    variables: list[Variable]

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        options = [{**vars(each), "source": each.source} for each in self.options]
        return {**vars(self), "options": options, "variables": [vars(each) for each in self.variables]}


def explain(name: str, *, among: Sequence[FoundComponent] | None = None) -> Explained:
    """Explain a table (`vendor/table`) or a sync (its name or asset). Raises UserError if there is none.

    among: the project's components, where they are known already.
    """
    try:
        written, entry = _found(name, list(configured_tables.components()) if among is None else among)
    except NotConfigured as error:
        raise UserError(str(error)) from None
    component: Any = written.component
    options = [each for each in _options(written, component, ()) if each.option.split("[")[0] != _TABLES]
    resource = component.resource() if isinstance(component, VendorComponent) else None
    if entry is not None:
        own = list(_options(written, entry[1], (_TABLES, entry[0])))
        if entry[1].cron is not None:
            options = [each for each in options if each.option != "cron"]  # the table has its own
        options += own
    return Explained(
        name.replace(".", "/"),
        f"orgdata_dagster.{type(component).__name__}",
        settings.short(written.file),
        options,
        list(_variables(resource)) if resource else [],
    )


def _found(name: str, among: Sequence[FoundComponent]) -> tuple[FoundComponent, tuple[int, Any] | None]:
    """The component of an asset, and the index and model of its entry in `tables:` (None for a sync)."""
    for written in among:
        component = written.component
        if isinstance(component, SyncComponent) and name in _names(component):
            return written, None
    found = configured_tables.find(name, among=among)
    entries = {id(table): number for number, table in enumerate(found.component.tables)}
    number = entries.get(id(found.stream.table), len(entries))
    return FoundComponent(found.component, found.file, found.document), (number, found.stream.table)


def _names(component: SyncComponent) -> tuple[str, str]:
    return component.name, f"{component.vendor}/{component.name}_{component.ending}"


def _options(written: FoundComponent, model: pydantic.BaseModel, at: Location) -> Iterator[Option]:
    """The options of a model and of nested models. `at`: the model's location below `attributes`."""
    for name, field in type(model).model_fields.items():
        location, value = (*at, field.alias or name), getattr(model, name)
        if location == (_TABLES,):
            continue
        if isinstance(value, pydantic.BaseModel):
            yield from _options(written, value, location)
            continue
        place = ("attributes", *location)
        is_set = yaml_files.written(written.document, place)
        yield Option(
            yaml_files.field(location).removeprefix("."),
            _plain(value),
            settings.short(written.file) if is_set else None,
            yaml_files.line(written.document, place) if is_set else None,
            " ".join((field.description or _kind(model, name)).split()),
        )


def _kind(model: pydantic.BaseModel, name: str) -> str:
    """The description of an option that selects a model, such as the `type` of a paginator: that of the model."""
    return (inspect.getdoc(type(model)) or "").partition("\n\n")[0] if name == "type" else ""


def _plain(value: Any) -> Any:
    """A value of JSON, without secrets."""
    if isinstance(value, pydantic.BaseModel):
        return _plain(value.model_dump(by_alias=True))
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return [_plain(each) for each in value] if isinstance(value, Sequence) else redact(str(value))


def _variables(resource: VendorResource) -> Iterator[Variable]:
    missing, optional = resource.missing_variables(), resource.defaults_of(vars(resource))
    for name, variable in resource.environment.items():
        yield Variable(variable, bool(os.environ.get(variable)) and variable not in missing, name not in optional)


def show(console: Console, explained: Explained) -> None:
    """Print one line per option, and its meaning below."""
    width = min(console.width, 100)

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    line(f"{explained.asset}: {explained.type} in {explained.file}")
    for each in explained.options:
        line("")
        line(f"{each.option} = {json.dumps(each.value, ensure_ascii=False)}  ({each.source})", "bold")
        for part in textwrap.wrap(each.description, width - 4):
            line(f"    {part}")
    if explained.variables:
        line("")
    for variable in explained.variables:
        state = "set" if variable.set else "not set" if variable.required else "not set, has a default"
        line(f"{variable.name}: {state}")
