"""The page of an asset shows its days: complete, unfinished, missing, not requested, and the number of rows."""

import dagster as dg
import pytest

from orgdata_dagster.orchestration.pictures import plots
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

USERS = dg.AssetKey(["institution_analytics", "users"])


def test_the_days_of_a_table(home: Home, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox.url
    monkeypatch.setattr(plots, "find_spec", lambda _: None)  # a table in place of the plots
    for day in (today(back=3), today()):
        assert home.materialize("institution_analytics/users", day).success
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(USERS)
    assert event is not None
    assert event.asset_materialization is not None
    shown = {name: str(value.value) for name, value in event.asset_materialization.metadata.items()}
    months = "".join(line.partition(" ")[2] for line in shown["days"].splitlines()[1:-3])
    assert months.strip("·") == "█××▌"
    assert len(shown["days"]) < 1000  # or the UI would not show it at once
    assert "1 complete, 1 unfinished, 2 missing" in shown["calendar"]
    assert f"Not complete: {today(back=2)} (missing), {today(back=1)} (missing)" in shown["calendar"]
    assert shown["activity"].splitlines()[0] == "| day | rows | requests | waited (s) |"
    assert today(back=3) in shown["activity"]
