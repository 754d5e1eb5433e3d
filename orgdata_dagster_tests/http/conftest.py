"""Fixtures of the tests of `http/`: loopback servers, a client for one of them, and a rate limit with a fake clock."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster.http.rate_limit import RateLimit, Rule
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.http.fakes import FakeClock
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


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rate_limit(tmp_path: Path, clock: FakeClock) -> Callable[[Rule], RateLimit]:
    """Opens the vendor's rate limit; several calls are several processes of one machine."""
    return lambda rule: RateLimit("vendor", rule, FileState(tmp_path), clock, boot=lambda: "boot 1")


@pytest.fixture
def impatient(tmp_path: Path, clock: FakeClock) -> Callable[[Rule, float], RateLimit]:
    """The same with a patience in seconds."""
    return lambda rule, patience: RateLimit(
        "vendor", rule, FileState(tmp_path), clock, boot=lambda: "boot 1", patience=patience
    )
