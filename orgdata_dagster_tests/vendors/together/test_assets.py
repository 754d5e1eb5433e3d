"""Snapshots through real Dagster runs: every table, days that can be requested, refused days and answers."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.sandbox.faults import CutCsv, Html
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.together.client import REPORTS
from orgdata_dagster.vendors.together.component import Together
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.integration.truth import difference
from orgdata_dagster_tests.vendors.together.rig import Runs, failed


def materialized(result: dg.ExecuteInProcessResult) -> list[str | None]:
    return [event.partition for event in result.all_events if event.is_step_materialization]


def snapshot_of_yesterday(runs: Runs, monkeypatch: pytest.MonkeyPatch, asset: str) -> None:
    """Take a snapshot as if it were the day before."""
    with monkeypatch.context() as patch:
        patch.setattr(Together, "today", lambda: today(back=1))
        assert runs.materialize(asset, today(back=1)).success


def test_every_table_equals_the_truth_and_changes_become_history(
    home: Home, sandbox: Sandbox, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in REPORTS:
        snapshot_of_yesterday(runs, monkeypatch, f"together/{table}")
    old, users = sandbox.together.truth("users"), sandbox.together.reports["users"]
    users.update("000050", {"Name (Preferred)": 'Zoë, the "second"'})
    users.delete("000051")
    users.add_column("New [column]", None)
    users.insert({"User ID": "000041", "New [column]": "x"})
    for table in REPORTS:
        result = runs.materialize(f"together/{table}")
        assert result.success
        assert materialized(result) == [today()]
        assert difference(home.warehouse, f"together.{table}_current", sandbox.together.truth(table) or ()) == {}
    both = [{"New [column]": None, **row} for row in old or ()] + (sandbox.together.truth("users") or [])
    assert difference(home.warehouse, "together.users", both) == {}
    then, now = today(back=1), today()
    changed = home.sql(
        'SELECT "User ID", CAST(valid_from AS VARCHAR), CAST(valid_to AS VARCHAR) FROM together.users_history '
        "WHERE valid_to IS NOT NULL OR valid_from = CAST(? AS DATE) ORDER BY ALL", now
    )  # fmt: skip
    assert changed == [
        ("000041", now, None),
        ("000050", then, now),
        ("000050", now, None),
        ("000051", then, now),
    ]
    assert home.sql("SELECT count(*) FROM together.sessions_history WHERE valid_to IS NOT NULL") == [(0,)]
    assert home.sql("SELECT DISTINCT status FROM _orgdata.requests") == [(200,)]


def test_days_that_are_over_fail_once_before_any_request(home: Home, sandbox: Sandbox, runs: Runs) -> None:
    result = runs.materialize("together/users", today(back=5), today(back=1))
    words = failed(result)
    assert f"no snapshot of {today(back=5)} to {today(back=1)} (5 days)" in words
    assert "No request was sent" in words
    assert materialized(result) == []
    assert sandbox.log.entries() == []
    assert not home.warehouse.exists


def test_a_range_that_ends_today_gives_today(sandbox: Sandbox, runs: Runs) -> None:
    """As requested by `orgdata pull --from` and by a backfill over all vendors. No other day counts as materialized."""
    result = runs.materialize("together/users", today(back=6), today())
    assert result.success
    assert materialized(result) == [today()]
    (event,) = [event for event in result.all_events if event.is_step_materialization]
    figures = event.step_materialization_data.materialization.metadata
    assert "(6 days)" in str(figures["days_skipped"].value)
    assert figures["dagster/partition_row_count"].value == len(sandbox.together.truth("users") or ())
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(sandbox.log.entries()) == 1


def test_an_answer_after_midnight_is_not_stored_as_yesterday(
    home: Home, sandbox: Sandbox, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([today(), str(datetime.now(UTC).date() + timedelta(days=1))])
    monkeypatch.setattr(Together, "today", lambda: next(clock))
    assert "midnight passed" in failed(runs.materialize("together/users"))
    assert len(sandbox.log.entries()) == 1
    assert home.sql("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'together'") == [(0,)]


def test_a_snapshot_that_shrank_must_be_accepted(
    home: Home, sandbox: Sandbox, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_of_yesterday(runs, monkeypatch, "together/users")
    before = sandbox.together.truth("users") or []
    sandbox.together.reports["users"].delete(lambda row: str(row["User ID"]) > "000100")
    result = runs.materialize("together/users")
    words = failed(result)
    after = sandbox.together.truth("users") or []
    assert f"has {len(after)} rows, the last snapshot ({today(back=1)}) has {len(before)} rows" in words
    assert "orgdata pull together/users --accept-shrink" in words
    assert runs.max_retries(result) == "0"
    [check] = runs.failed_checks(result)
    assert (check.check_name, check.passed, check.severity) == ("volume", False, dg.AssetCheckSeverity.ERROR)
    assert difference(home.warehouse, "together.users", before) == {}
    assert home.sql("SELECT count(*) FROM _orgdata.requests") == [(2,)]  # the refused one was made too
    assert runs.materialize("together/users", tags={ACCEPT_SHRINK_TAG: "true"}).success
    assert difference(home.warehouse, "together.users_current", after) == {}


def test_a_duplicate_key_is_reported_and_the_day_lands(home: Home, sandbox: Sandbox, runs: Runs) -> None:
    """The snapshot of this day cannot be requested again later."""
    first, second, *_ = (str(row["User ID"]) for row in sandbox.together.truth("users") or ())
    sandbox.together.reports["users"].update(lambda row: row["User ID"] == second, {"User ID": first})
    result = runs.materialize("together/users")
    assert result.success
    [check] = runs.failed_checks(result)
    assert (check.check_name, check.severity) == ("keys", dg.AssetCheckSeverity.ERROR)
    assert check.metadata["duplicates"].value == 1
    assert difference(home.warehouse, "together.users", sandbox.together.truth("users") or []) == {}


def test_a_report_without_its_key_is_refused(sandbox: Sandbox, runs: Runs) -> None:
    sandbox.together.reports["users"].drop_column("User ID")
    assert (
        "`key`: there is no column 'User ID'; did you mean 'External ID'? There are Name (Preferred), Email"
        in failed(runs.materialize("together/users"))
    )
    assert runs.materialize("together/sessions").success  # it has no key


def test_bad_reports_leave_the_old_one(home: Home, sandbox: Sandbox, runs: Runs) -> None:
    assert runs.materialize("together/users").success
    truth = sandbox.together.truth("users") or ()
    for fault, words in ((Html(), "HTML page"), (CutCsv(), "ends inside a quoted field")):
        sandbox.together.faults.add(fault, times=2)
        assert words in failed(runs.materialize("together/users"))
        assert difference(home.warehouse, "together.users", truth) == {}
    assert not list(settings.staging().glob("run-*"))


def test_a_report_of_nothing_but_a_header(home: Home, sandbox: Sandbox, runs: Runs) -> None:
    sandbox.together.reports["users"].delete(lambda _: True)
    assert runs.materialize("together/users").success
    columns = home.sql("SELECT column_name FROM duckdb_columns() WHERE table_name = 'users_history'")
    assert ("User ID",) in columns
    assert home.sql("SELECT * FROM together.users_current") == []


def test_frozen_columns_and_declared_types(home: Home, sandbox: Sandbox) -> None:
    types = {"Joined": "DATE", "External ID": "DOUBLE"}
    runs = Runs(tables=[{"name": "users", "contract": "freeze", "columns": types}])
    assert [key.to_user_string() for key in runs.defs.resolve_all_asset_keys()] == ["together/users"]
    assert runs.materialize("together/users").success
    sandbox.together.reports["users"].add_column("Extra", "1")
    assert "is frozen" in failed(runs.materialize("together/users"))
    types = dict(home.sql("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'users'"))
    assert (types["Joined"], types["External ID"], types["External ID__v_text"]) == ("DATE", "DOUBLE", "VARCHAR")
    assert "Extra" not in types
