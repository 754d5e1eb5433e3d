"""Problems in YAML files, one line per problem: file, line, field, problem.

Here: finding every problem in a project's defs.yaml files.
Keep out: the fields of the files (each vendor's component.py).

Dagster stops at the first problem and wraps it in 70 to 170 lines. If loading fails, the files are therefore validated
again with the Components' own models, which find all problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

import pydantic
import pydantic_core
import yaml

import orgdata_dagster
from orgdata_dagster import settings
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.project import file_problems, yaml_files
from orgdata_dagster.project.yaml_fields import fields_at


def problems(error: BaseException, project: Path, part: Path | None = None) -> list[str]:
    """Every problem in the project's files as `file:line vendor.field: problem`, sorted by file and line.

    error: why loading failed; returned as one line if no problem is found in the files.
    part: check only this folder or file; None for all files.
    """
    files = yaml_files.of(project, part)
    found = [line for file in files for line in _of_file(file)]
    found += [line for line, places in file_problems.found(project).items() if part is None or places & {*files}]
    if found:
        return sorted(found, key=_place)
    return [reason(error)]


def _place(problem: str) -> tuple[str, int]:
    file, _, rest = problem.partition(":")
    line = rest.partition(" ")[0]
    return file, int(line) if line.isdecimal() else 0


def _of_file(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    try:
        for document in filter(None, yaml.compose_all(text, yaml.SafeLoader)):
            yield from _of_document(file, document)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        yield f"{settings.short(file)}:{line} not valid YAML: {error.problem}"


def _of_document(file: Path, document: yaml.Node) -> Iterator[str]:
    vendor = file.parent.name
    content = yaml.safe_load(yaml.serialize(document))
    kind = content.get("type") if isinstance(content, dict) else None
    component = yaml_files.component(str(kind))
    if component is None:
        place = f"{settings.short(file)}:{yaml_files.line(document, ('type',))}"
        yield f"{place} {vendor}: unknown type {kind!r}; {_why_unknown(str(kind))}"
        return
    try:
        component.model_validate(content.get("attributes") or {})
    except pydantic.ValidationError as error:
        for item in error.errors(include_url=False):
            if "{{" not in str(item["input"]):  # only Dagster can resolve a template
                location = yaml_files.as_written(document, ("attributes", *item["loc"]))
                place = f"{settings.short(file)}:{yaml_files.line(document, location)}"
                yield f"{place} {vendor}{yaml_files.field(location[1:])}: {_message(item, component)}"
    except Exception as error:  # noqa: BLE001 - the Component may be the user's own code
        yield f"{settings.short(file)}:{yaml_files.line(document, ('type',))} {vendor}: {reason(error)}"


def _why_unknown(kind: str) -> str:
    """For a type in the user's own code, why it cannot be used; otherwise the known types."""
    package = kind.partition(".")[0]
    if package not in ("", "orgdata_dagster") and find_spec(package):
        return yaml_files.why_unknown(kind)
    return f"known: {', '.join(f'orgdata_dagster.{name}' for name in orgdata_dagster.__all__)}"


def _message(item: pydantic_core.ErrorDetails, component: type[pydantic.BaseModel]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return _unknown(str(item["loc"][-1]), fields_at(component, item["loc"][:-1]))
    if item["type"] == "missing":
        return "is required"
    if item["type"] == "secret":
        return message
    if item["type"] == "string_type" and isinstance(item["input"], (int, float)):
        return f"{message}, not {item['input']}; write it in quotes"
    shown = repr(item["input"])
    return message if shown[:20] in message or len(shown) > 80 else f"{message}, not {shown}"


def _unknown(name: str, allowed: Sequence[str]) -> str:
    close = get_close_matches(name, allowed, n=1, cutoff=0.6)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"unknown field; {meant}{'Allowed' if meant else 'allowed'}: {', '.join(allowed)}"
