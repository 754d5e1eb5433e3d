"""One bad character in an answer: every row lands, the character becomes U+FFFD, and that is counted and shown."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox.faults import BadCharacter
from orgdata_dagster.sandbox.octolis import DATASETS
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.octolis.walk import MAX_PAGE_SIZE
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.accutics.rig import Rig as Accutics
from orgdata_dagster_tests.vendors.channel_reports.rig import opened
from orgdata_dagster_tests.vendors.octolis.rig import OPTIONS
from orgdata_dagster_tests.vendors.octolis.rig import Rig as Octolis

WHATS: list[Literal["surrogate", "nul", "utf8", "bom"]] = ["surrogate", "nul", "utf8", "bom"]
COUNTED = "SELECT replaced_characters FROM _orgdata.loads ORDER BY loaded_at DESC LIMIT 1"


def replaced(what: str) -> int:
    return 0 if what == "bom" else 1


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(tmp_path))
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("what", WHATS)
def test_octolis(stack: ExitStack, what: str) -> None:
    rig = Octolis(stack)
    rig.vendor.faults.add(BadCharacter(what))  # type: ignore[arg-type]
    # one page: where pages overlap, the record may be read a second time, without the bad character
    pulled = rig.pull("contacts", replace(OPTIONS, page_size=MAX_PAGE_SIZE))
    assert pulled.success, pulled.failure
    assert pulled.metadata["dagster/row_count"] == len(rig.vendor.truth(DATASETS["contacts"]) or ())
    assert rig.sql(COUNTED) == [(replaced(what),)]
    found = rig.difference("contacts")
    assert [side[0] for side in found.values()] == [replaced(what)] * 2 * replaced(what)
    assert str(found).count("\ufffd") == replaced(what)


def test_accutics(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Accutics(stack)
    for name, value in rig.variables().items():
        monkeypatch.setenv(name, value)
    for what in WHATS:
        rig.vendor.faults.add(BadCharacter(what))
        assert rig.pull("users").success
        assert rig.sql("SELECT count(*) FROM accutics.users") == [(len(rig.vendor.entities["users"]),)]
        assert rig.sql(COUNTED) == [(replaced(what),)], what


def test_channel_reports(tmp_path: Path) -> None:
    name, day = "reports_per_state", today(back=1)
    with opened(tmp_path) as rig:
        for what in WHATS:
            rig.vendor.faults.add(BadCharacter(what))
            assert rig.pull(name, first=day).success
            assert sum(rig.rows(name).values()) > 0
            assert rig.sql(COUNTED) == [(replaced(what),)], what
            broken = f"SELECT count(*) FROM channel_reports.{name} WHERE name LIKE '%\ufffd'"
            assert rig.sql(broken) == [(replaced(what),)], what


def test_institution_analytics(home: Home, sandbox: Sandbox) -> None:
    day = today(back=1)
    truth = sandbox.institution_analytics.truth("users") or ()
    rows = [row for row in truth if str(row["updated_date"])[:10] == day]
    for what in WHATS:
        sandbox.institution_analytics.faults.add(BadCharacter(what))
        done = home.materialize("institution_analytics/users", day)
        assert done.success
        assert home.sql("SELECT count(*) FROM institution_analytics.users") == [(len(rows),)]
        assert home.sql(COUNTED) == [(replaced(what),)], what
        [event] = done.get_asset_materialization_events()
        shown = event.step_materialization_data.materialization.metadata.get("replaced_characters")
        assert (shown.value if shown else 0) == replaced(what), what
