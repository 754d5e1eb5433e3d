"""The worlds of `make soak` and `make bench`: their YAML is what orgdata takes, and their truth is written whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import orgdata_dagster
from benchmarks.outside import five_vendors, many_rows
from benchmarks.outside.truth import load

WORLDS: list[tuple[str, dict[str, Any]]] = [
    ("csv_days", {"rows": 50, "days": 2, "tables": 2, "concurrent": 4}),
    ("csv_tables", {"tables": 2, "rows": 5}),
    ("wide_csv", {"columns": 30, "rows": 2}),
    ("wide_json", {"columns": 30, "rows": 2}),
    ("json_records", {"records": 20}),
    ("many_requests", {"days": 2}),
    ("five_vendors", {}),
]
BUILDERS = {**many_rows.BUILDERS, **five_vendors.BUILDERS}


@pytest.mark.parametrize(("builder", "options"), WORLDS, ids=[name for name, _ in WORLDS])
def test_a_world(builder: str, options: dict[str, Any], tmp_path: Path) -> None:
    world = BUILDERS[builder](**options)
    for part in world.defs.values():
        component = getattr(orgdata_dagster, part["type"].partition(".")[2])
        component.resolve_from_yaml(yaml.safe_dump(json.loads(json.dumps(part["attributes"]))))
    world.write(tmp_path)
    tables = load(tmp_path / "tables.json")
    assert tables
    for table in tables:
        assert (tmp_path / table.file).stat().st_size
        assert set(table.key) <= set(table.columns)


def test_every_world_is_tested() -> None:
    assert {name for name, _ in WORLDS} == set(BUILDERS)
