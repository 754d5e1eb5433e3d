"""Fixtures of the tests of Together."""

from collections.abc import Iterator

import pytest

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.vendors.together.rig import Runs, running


@pytest.fixture
def sandbox(home: Home) -> Iterator[Sandbox]:
    with running(home) as started:
        yield started


@pytest.fixture
def runs(sandbox: Sandbox) -> Runs:  # noqa: ARG001 - it sets the environment
    return Runs()
