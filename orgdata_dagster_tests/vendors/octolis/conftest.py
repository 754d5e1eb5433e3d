"""Fixtures of the tests of octolis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster_tests.vendors.octolis.rig import Rig, people


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, "")
    return tmp_path


@pytest.fixture
def demo_rig(own_home: Path, stack: ExitStack) -> Rig:
    """The demo's five datasets."""
    assert own_home
    return Rig(stack)


@pytest.fixture
def people_rig(own_home: Path, stack: ExitStack) -> Rig:
    """One dataset of three pages."""
    assert own_home
    return Rig(stack, people())
