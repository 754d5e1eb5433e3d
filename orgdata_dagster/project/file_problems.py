"""Problems of whole YAML files that Dagster accepts silently, or explains without naming the file.

Here: empty files, files with another name than defs.yaml, fields that are given twice, a vendor in two files.
Keep out: fields and their values (yaml_errors.py), names of tables (table_names.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import yaml

import orgdata_dagster
from orgdata_dagster import settings
from orgdata_dagster.project import table_names, yaml_files

_ALIKE = 0.75


class ProjectWrong(Exception):
    """The project has problems that Dagster would not report. `lines`: one line per problem."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def check(project: Path) -> None:
    """Raise ProjectWrong if there are such problems."""
    if lines := list(found(project)):
        raise ProjectWrong(lines)


def found(project: Path) -> dict[str, set[Path]]:
    """One line per problem -> the files that it concerns."""
    files = {file: _documents(file) for file in yaml_files.of(project)}
    lines = {line: {file} for file in _misnamed(settings.defs_folder(project)) for line in [_rename(file)]}
    accounts: dict[str, tuple[Path, yaml.Node]] = {}
    for file, documents in files.items():
        if not documents and documents is not None:
            lines[_empty(file)] = {file}
        for document in documents or ():
            lines |= {line: {file} for line in _twice(file, document, "")}
            account = _account(document)
            if account is None:
                continue
            first, other = accounts.setdefault(account, (file, document)), (file, document)
            if first != other:
                lines[_again(account, first, other)] = {first[0], file}
    reported = [files for files in lines.values() if len(files) > 1]
    return lines | {line: files for line, files in table_names.clashes(project).items() if files not in reported}


def _documents(file: Path) -> list[yaml.Node] | None:
    """The documents of a file; None if it cannot be read, which yaml_errors.py reports."""
    try:
        return [node for node in yaml.compose_all(file.read_text(encoding="utf-8"), yaml.SafeLoader) if node]
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return None


def _empty(file: Path) -> str:
    vendor = file.parent.name
    known = orgdata_dagster.component_types().get(vendor, "orgdata_dagster.RestApi")
    return (
        f"{settings.short(file)}:1 {vendor}: the file is empty; write `type: {known}` and `attributes:` into it, or "
        "delete it"
    )


def _misnamed(defs: Path) -> Iterator[Path]:
    """YAML files that look like a defs.yaml with another name: Dagster does not read them."""
    for file in sorted(defs.glob("**/*.y*ml")):
        if file.name in ("defs.yaml", "component.yaml"):
            continue
        alike = SequenceMatcher(None, file.stem.lower(), "defs").ratio() >= _ALIKE
        if alike or any(_type(document).startswith("orgdata_dagster.") for document in _documents(file) or ()):
            yield file


def _rename(file: Path) -> str:
    return f"{settings.short(file)}:1 {file.parent.name}: is not read, because only defs.yaml is; rename the file"


def _twice(file: Path, node: yaml.Node, at: str) -> Iterator[str]:
    """Fields that one mapping has twice: the last one would win silently."""
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _twice(file, item, f"{at}[{number}]")
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        place = f"{at}.{name}" if at else name
        if name in lines:
            field = f"{file.parent.name}.{place.removeprefix('attributes.')}"
            first = lines[name]
            yield f"{settings.short(file)}:{line} {field}: is given twice, also in line {first}; keep one of them"
        lines.setdefault(name, line)
        yield from _twice(file, value, place)


def _type(document: yaml.Node) -> str:
    return str(_value(document, "type") or "")


def _account(document: yaml.Node) -> str | None:
    """The name of the vendor or account that a document configures; None for other documents."""
    component = yaml_files.component(_type(document))
    if component is None or not hasattr(component, "streams"):
        return None
    attributes = next((value for key, value in _pairs(document) if key == "attributes"), None)
    # for a RestApi, `name` is the vendor; for other types it is an additional account
    name = (_value(attributes, "name") or _value(attributes, "vendor")) if attributes is not None else None
    return name or getattr(component, "kind", None)


def _pairs(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _value(node: yaml.Node, name: str) -> str | None:
    found = next((value for key, value in _pairs(node) if key == name), None)
    return str(found.value) if isinstance(found, yaml.ScalarNode) else None


def _again(account: str, first: tuple[Path, yaml.Node], other: tuple[Path, yaml.Node]) -> str:
    return (
        f"{_place(*other)} {other[0].parent.name}: {account} is already configured in {_place(*first)}; put its tables "
        f"into one list, or give one of them another name, such as `name: {account}_2`"
    )


def _place(file: Path, document: yaml.Node) -> str:
    return f"{settings.short(file)}:{document.start_mark.line + 1}"
