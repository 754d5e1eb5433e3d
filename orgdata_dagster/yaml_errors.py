"""Bad YAML in a few words: file, line, field, what is wrong.

Here: reading the problems out of what Dagster raises (70 to 170 lines, the useful one inside).
Keep out: what is allowed in the files (each vendor's component.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pydantic_core
import yaml

# `attributes.data_sets.tuple[Model, ...].2.columns at /path/defs.yaml:7` as Dagster rewrites a location
_PLACE = re.compile(r"^(?P<field>.*) at (?P<file>.+):(?P<line>\d+)$", re.DOTALL)
# parts that come from Dagster's own models (a union with a template string), not from what the user wrote
_NOISE = re.compile(r"\.(tuple|list|dict)\[[^\]]*\]|\.\w+Model\b|\.(str|bool|int|float)$")


def problems(error: BaseException) -> list[str]:
    """Every problem as `file:line vendor.field: what is wrong`; else one line of the error itself."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, pydantic.ValidationError):
            return _validation(link, chain)
        if isinstance(link, yaml.MarkedYAMLError) and link.problem_mark:
            mark = link.problem_mark
            return [f"{_short(mark.name)}:{mark.line + 1} not valid YAML: {link.problem}"]
    root = chain[-1]
    return [f"{type(root).__name__}: {' '.join(str(root).split())[:500]}"]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _validation(error: pydantic.ValidationError, chain: list[BaseException]) -> list[str]:
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        location = ".".join(map(str, item["loc"]))
        place = _PLACE.match(location)
        field = place["field"] if place else location
        if field.endswith(".str") and item["type"] == "string_type":
            continue  # the other half of Dagster's "value or template string"
        field = (
            re.sub(r"\.(\d+)", r"[\1]", _NOISE.sub("", field)).removeprefix("attributes.").removeprefix("attributes")
        )
        where, vendor = ("", "")
        if place:
            where, vendor = f"{_short(place['file'])}:{place['line']} ", Path(place["file"]).parent.name
        name = ".".join(part for part in (vendor, field) if part)
        found.setdefault(name, f"{where}{name}: {_message(item)}")
    return list(found.values()) or [" ".join(str(chain[-1]).split())[:500]]


def _message(item: pydantic_core.ErrorDetails) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "there is no such field; see the vendor's README for those there are"
    if item["type"] == "missing":
        return "is required"
    shown = repr(item["input"])
    return message if message.startswith(shown[:20]) or len(shown) > 80 else f"{message}, not {shown}"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
