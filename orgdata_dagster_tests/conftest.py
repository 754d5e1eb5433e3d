"""Fixtures of the tests that run the whole thing: a sandbox over HTTP, a home, the command.

What lives here: what tests in several folders start from. Imports are inside the fixtures: most tests need no Dagster.
Add here when: tests of two folders need it. Keep out: what one folder needs (its own conftest).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orgdata_dagster.sandbox.server import Sandbox
    from orgdata_dagster_tests.integration.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A user's machine with nothing on it but a project."""
    from orgdata_dagster_tests.integration.home import Home

    return Home(tmp_path, monkeypatch)


@pytest.fixture
def sandbox(home: Home) -> Iterator[Sandbox]:
    """The institution's API with some days of awkward data, small pages and no limits; the home knows its address."""
    from orgdata_dagster.sandbox.environment import environment
    from orgdata_dagster.sandbox.institution_analytics import demo
    from orgdata_dagster.sandbox.limits import UNLIMITED
    from orgdata_dagster.sandbox.server import Sandbox

    vendor = demo(days=6, rows=600, page_rows=40, limits=UNLIMITED)
    with Sandbox(vendor) as running:
        home.set(**environment(running.url))
        yield running
