"""Fixtures of the tests of RestApi."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.vendors.rest.rig import Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(tmp_path))
    with ExitStack() as stack:
        made = Rig(stack)
        for name, value in made.variables().items():
            monkeypatch.setenv(name, value)
        yield made
