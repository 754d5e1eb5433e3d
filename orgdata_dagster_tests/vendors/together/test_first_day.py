"""Days before the first snapshot do not exist: not in the UI, not for `pull`, not for `plan`."""

from collections.abc import Sequence

import dagster as dg
import pytest

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.loaded_project import load
from orgdata_dagster.cli.pull import days_of
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.together.component import Together
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.together.rig import Runs

USERS = dg.AssetKey(["together", "users"])


def days(runs: Runs, table: str = "users") -> Sequence[str]:
    partitions = runs.defs.resolve_asset_graph().get(dg.AssetKey(["together", table])).partitions_def
    assert partitions is not None
    return partitions.get_partition_keys()


@pytest.fixture
def first_day(sandbox: Sandbox) -> None:  # noqa: ARG001 - it notes a day
    """The first day before anything has landed."""
    shared_state().notes("first_days").remove("together")


@pytest.mark.usefixtures("first_day")
def test_partitions_begin_with_the_first_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert days(Runs(start_date="2020-01-01")) == [today()]
    shared_state().notes("first_days").add("together", today(back=1))
    yesterday = Runs()  # loaded yesterday
    shared_state().notes("first_days").remove("together")
    with monkeypatch.context() as patch:
        patch.setattr(Together, "today", lambda: today(back=1))
        assert yesterday.materialize("together/users", today(back=1)).success
    later = Runs()
    assert days(later) == days(later, "sessions") == [today(back=1), today()]
    assert later.materialize("together/sessions").success
    assert days(Runs()) == [today(back=1), today()]
    assert days(Runs(start_date=today())) == [today()]


@pytest.mark.usefixtures("first_day")
def test_a_note_that_is_lost_comes_back_from_the_ledger(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    shared_state().notes("first_days").add("together", today(back=9))
    runs = Runs()
    monkeypatch.setattr(Together, "today", lambda: today(back=9))
    assert runs.materialize("together/users", today(back=9)).success
    shared_state().notes("first_days").remove("together")
    monkeypatch.setattr(Together, "today", today)
    assert Runs().materialize("together/sessions").success
    assert len(days(Runs())) == 10
    home.set(ORGDATA_STATE="postgresql://[")  # no run can start, but the UI loads
    assert days(Runs())[0] == "2026-01-01"


@pytest.mark.usefixtures("sandbox")
def test_pull_says_which_days_are_lost(home: Home) -> None:
    loaded, before, yesterday = load(), today(back=5), today(back=1)
    told = f"together: {before} to {yesterday} cannot be pulled, because the vendor has only its current state"
    span = days_of(before, None)
    assert loaded.without_past(loaded.with_days([USERS], *span), *span) == ([USERS], [told])
    assert loaded.without_past([USERS], *days_of(None, None)) == ([USERS], [])
    with pytest.raises(UserError, match=f"{told}; today can: orgdata pull together"):
        loaded.without_past([USERS], *days_of(before, yesterday))
    shared_state().notes("first_days").remove("together")
    shown = home.shows("plan", "together/users", "--from", before)
    assert f"unavailable: together/users {before} to {yesterday} (5 days)" in shown.out
