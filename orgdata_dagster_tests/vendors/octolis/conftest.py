"""Fixtures of the tests of octolis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox.octolis import DATASETS
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.vendors.octolis.rig import Rig, people


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def pulled_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The demo's five datasets, pulled once; for tests that change nothing."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        home = tmp_path_factory.mktemp("octolis")
        patch.setenv(settings.HOME, str(home))
        patch.setenv(settings.WAREHOUSE, warehouses.variable(home))
        rig = Rig(opened)
        for name in DATASETS:
            rig.first[name] = rig.pull(name)
        yield rig


@pytest.fixture
def people_rig(own_home: Path, stack: ExitStack) -> Rig:
    """One dataset of three pages."""
    assert own_home
    return Rig(stack, people())
