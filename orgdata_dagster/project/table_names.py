"""Finding tables with the same name in the YAML files before anything is loaded or pulled.

Here: `clashes`. Keep out: the tables that a Component creates (its `claims`), other problems (yaml_errors.py).

The database ignores case in names, and tables and views share one namespace. The names `Users` and `users` clash, and
so do `users_current` and a table `users` with a key: each pull would overwrite the other's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.config.table_options import Claim
from orgdata_dagster.project import yaml_files
from orgdata_dagster.warehouse.names import folded


class _Placed(NamedTuple):
    claim: Claim
    file: Path
    place: str
    field: str


def clashes(project: Path) -> dict[str, set[Path]]:
    """One line per clash -> the files of its two entries."""
    placed = [each for file in yaml_files.of(project) for each in _claims(file)]
    by_name = sorted(placed, key=lambda each: folded(str(each.claim.table)))  # stable: in the order of the files
    found = dict[str, set[Path]]()
    for _, group in groupby(by_name, key=lambda each: folded(str(each.claim.table))):
        first, *others = group
        for other in others:
            if (other.file, other.place, other.field) != (first.file, first.place, first.field):
                found[_line(first, other)] = {first.file, other.file}
    return found


def _line(first: _Placed, other: _Placed) -> str:
    return (
        f"{other.place} {other.field}: {other.claim.what} {other.claim.table} would be the same as "
        f"{first.claim.what} {first.claim.table} of {first.place} {first.field}; give one of them another name"
    )


def _claims(file: Path) -> Iterator[_Placed]:
    try:
        documents = [node for node in yaml.compose_all(file.read_text(encoding="utf-8"), yaml.SafeLoader) if node]
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return  # yaml_errors.py reports it
    for document in documents:
        content = yaml.safe_load(yaml.serialize(document))
        component = yaml_files.component(str(content.get("type"))) if isinstance(content, dict) else None
        if component is None or not hasattr(component, "claims"):
            continue
        try:
            claims = list(component.model_validate(content.get("attributes") or {}).claims())
        except Exception:  # noqa: BLE001 - invalid options, or the user's own code: loading reports it
            continue
        for claim in claims:
            line = yaml_files.line(document, ("attributes", *claim.location))
            field = f"{file.parent.name}{yaml_files.field(claim.location)}"
            yield _Placed(claim, file, f"{settings.short(file)}:{line}", field)
