"""What the shipped project and one with every YAML option are in Dagster: a change of it is a change for users.

`make snapshot` (ORGDATA_RENEW_SNAPSHOTS=1) writes the files anew; review the difference line by line before you commit.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import orgdata_dagster
from orgdata_dagster import settings
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.project.build import build_defs
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.snapshots.describe import described

HERE = Path(__file__).parent
EVERY_OPTION = {path.stem: path.read_text() for path in sorted((HERE / "every_option").glob("*.yaml"))}
RENEW = "ORGDATA_RENEW_SNAPSHOTS"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot is the same on every machine, whatever its environment holds."""
    prefixes = tuple(f"{vendor.upper()}_" for vendor in orgdata_dagster.component_types())
    for name in list(os.environ):
        if name.startswith((*prefixes, "ORGDATA_TEST")) or name == settings.PROJECT:
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["shipped", "every_option"])
def test_the_definitions_are_those_of_the_snapshot(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGDATA_HOME", str(tmp_path / "home"))
    for account in ("together", "together_fr"):  # otherwise their partitions begin today
        shared_state().notes("first_days").add(account, "2026-01-01")
    root = project.write(tmp_path, EVERY_OPTION) if name == "every_option" else None
    found, file = described(build_defs(project=root, for_ui=False)), HERE / f"{name}.txt"
    if os.environ.get(RENEW):
        file.write_text(found)
    expected = file.read_text() if file.exists() else ""
    changes = "\n".join(difflib.unified_diff(expected.splitlines(), found.splitlines(), "snapshot", "found", n=2))
    assert not changes, f"{changes}\n\nIf all of this is meant: `make snapshot`, review, commit."


def test_every_option_is_set() -> None:
    documents = [each for text in EVERY_OPTION.values() for each in yaml.safe_load_all(text)]
    types = {each["type"].removeprefix("orgdata_dagster.") for each in documents}
    assert types == set(orgdata_dagster.__all__)
    missing = set[str]()
    for name in sorted(types):
        component = getattr(orgdata_dagster, name)
        written = [each["attributes"] for each in documents if each["type"] == f"orgdata_dagster.{name}"]
        missing |= set(unset([component.model_validate(attributes) for attributes in written], name))
    assert not missing, f"set them in {HERE}/every_option: {', '.join(sorted(missing))}"


def unset(models: list[BaseModel], place: str) -> Iterator[str]:
    """The options that none of some models of one type sets, at any depth."""
    for name in type(models[0]).model_fields:
        if not any(name in model.model_fields_set for model in models):
            yield f"{place}.{name}"
        inner = [value for model in models for value in values(getattr(model, name)) if isinstance(value, BaseModel)]
        for kind in dict.fromkeys(map(type, inner)):  # where `type` says which options there are, there are several
            yield from unset([model for model in inner if type(model) is kind], f"{place}.{name}")


def values(value: Any) -> list[Any]:
    """A list's or mapping's values, or the value itself."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]
