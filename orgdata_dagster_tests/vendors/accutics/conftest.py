"""Fixtures of the tests of accutics."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox.accutics import Accutics
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.vendors.accutics.rig import ENTITIES, Rig


@contextmanager
def opened(home: Path, made: Accutics | None = None) -> Iterator[Rig]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv(settings.HOME, str(home))
        patch.setenv(settings.WAREHOUSE, warehouses.variable(home))
        rig = Rig(stack, made)
        for name, value in rig.variables().items():
            patch.setenv(name, value)
        yield rig


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The four entities, pulled once; for tests that change nothing."""
    with opened(tmp_path_factory.mktemp("accutics")) as rig:
        for each in ENTITIES:
            assert rig.pull_everything(str(each["name"])).success
        yield rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with opened(tmp_path) as made:
        yield made
