"""Fixtures of the tests of `http/`: real servers on loopback, and a client at one of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster_tests.http.loopback import Loopback, loopback
from orgdata_dagster_tests.http.rig import Rig


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


@pytest.fixture
def rig(server: Loopback, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(server, tmp_path, stack)
