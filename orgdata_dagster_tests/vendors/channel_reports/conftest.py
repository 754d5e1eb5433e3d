"""Fixtures of the tests of channel_reports."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS, FIELDS_TABLE
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.channel_reports.rig import DAYS, Rig, opened


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """All tables, pulled once, including a day before the first report; for tests that change nothing."""
    with opened(tmp_path_factory.mktemp("channel_reports")) as rig:
        assert rig.pull(*ENDPOINTS, first=today(back=DAYS), last=today()).success
        assert rig.pull(FIELDS_TABLE, first=today()).success
        yield rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with opened(tmp_path) as made:
        yield made
