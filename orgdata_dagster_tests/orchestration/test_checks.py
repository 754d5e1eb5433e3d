"""Every check detects its fault, and bad data is never stored."""

from typing import Any

import dagster as dg
import pytest

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.checks.results import Landed, of_landed
from orgdata_dagster.orchestration.checks.specs import table_checks
from orgdata_dagster.orchestration.tags import pulled_assets
from orgdata_dagster.project.build import build_defs
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.warehouse.commit import inserting
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

USERS = "institution_analytics/users"


def yesterday() -> str:
    return today(back=1)


class Runs:
    """Runs of the table `users`, and the results of their checks."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.defs = loaded_project.load().defs

    def checks(self, first: str | None = None, last: str | None = None) -> dict[str, dg.AssetCheckEvaluation]:
        """Run days, or only yesterday; check -> its evaluation."""
        first, last = first or yesterday(), last or yesterday()
        with self.home.instance() as instance:
            done = self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(USERS.split("/"))],
                tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            # read from the instance, because the result lacks the evaluations of a failed step
            logged = instance.get_records_for_run(done.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        events = [record.event_log_entry.dagster_event for record in logged.records]
        found = [event.asset_check_evaluation_data for event in events if event]
        return {check.check_name: check for check in found}


@pytest.fixture
def runs(home: Home, sandbox: Sandbox) -> Runs:
    assert sandbox.url
    return Runs(home)


def figures(check: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in check.metadata.items()}


def test_a_good_run_passes_all_checks_with_figures(runs: Runs) -> None:
    found = runs.checks(yesterday(), today())
    assert {name: check.passed for name, check in found.items()} == dict.fromkeys(
        ("coverage", "keys", "row_count", "schema", "volume", "freshness"), True
    )
    [(rows,)] = runs.home.sql("SELECT count(*) FROM institution_analytics.users")
    assert figures(found["row_count"]) == {"received": rows, "read": rows}
    assert figures(found["keys"]) == {
        "rows": rows,
        "without_key": 0,
        "duplicates": 0,
        "differ_only_in_case": 0,
        "differ_only_in_type": 0,
    }


def test_rows_without_a_key_or_with_a_repeated_key_are_not_stored(runs: Runs, sandbox: Sandbox) -> None:
    users = sandbox.institution_analytics.data_sets["users"]
    users.insert({"id": None, "updated_date": f"{yesterday()}T12:00:00Z"})
    found = runs.checks()
    assert list(found) == ["keys"]
    assert (found["keys"].passed, found["keys"].severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "1 rows have no value of the key id" in (found["keys"].description or "")
    assert runs.home.sql("SELECT count(*) FROM information_schema.tables WHERE table_name = 'users'") == [(0,)]
    # the same key and instant twice: the vendor's own key is another one
    users.delete(lambda row: row["id"] is None)
    runs.home.write_project(
        institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["active", "updated_date"]}])
    )
    for number in range(2):
        users.insert({"id": f"n{number}", "active": "true", "updated_date": f"{yesterday()}T12:00:00Z"})
    found = Runs(runs.home).checks()
    assert not found["keys"].passed
    assert "have one that another row has too" in (found["keys"].description or "")


def test_a_load_that_lost_rows_is_not_stored(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserting, "within_sql", lambda *_: "id NOT LIKE '%1'")
    found = runs.checks()
    assert list(found) == ["row_count"]
    assert not found["row_count"].passed
    assert runs.home.sql("SELECT count(*) FROM information_schema.tables WHERE table_name = 'users'") == [(0,)]


def test_changed_columns_warn_and_are_not_stored_under_freeze(runs: Runs, sandbox: Sandbox) -> None:
    assert runs.checks()["schema"].passed
    users = sandbox.institution_analytics.data_sets["users"]
    users.add_column("team")
    users.touch(lambda row: str(row["updated_date"]) < yesterday(), f"{yesterday()}T10:00:00Z", {"team": "7"})
    schema = runs.checks()["schema"]
    assert (schema.passed, schema.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "team: added" in figures(schema)["changed"]
    assert runs.checks()["schema"].passed  # news once
    frozen = [{"name": "users", "key": ["id"], "contract": "freeze"}]
    runs.home.write_project(institution_analytics=institution_analytics(tables=frozen))
    users.add_column("floor")
    users.touch(lambda row: row["team"] == "7", f"{yesterday()}T11:00:00Z", {"floor": "1"})
    schema = Runs(runs.home).checks()["schema"]
    assert (schema.passed, schema.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "floor" in (schema.description or "")


def test_an_instant_that_no_page_can_hold_is_a_gap(runs: Runs, sandbox: Sandbox) -> None:
    runs.home.write_project(institution_analytics=institution_analytics(api={"page_rows": 40}))
    for number in range(50):
        sandbox.institution_analytics.data_sets["users"].insert(
            {"id": f"tied {number}", "updated_date": f"{yesterday()}T07:00:00Z"}
        )
    coverage = Runs(runs.home).checks()["coverage"]
    assert not coverage.passed
    assert figures(coverage)["gaps"] == 1


def test_a_day_with_far_more_or_fewer_rows_than_before_is_reported(runs: Runs, sandbox: Sandbox) -> None:
    users = sandbox.institution_analytics.data_sets["users"]
    users.delete(lambda _row: True)
    for back in range(2, 11):
        for number in range(10):
            users.insert({"id": f"{back} {number}", "updated_date": f"{today(back)}T12:00:0{number}Z"})
    for number in range(30):
        users.insert({"id": f"1 {number}", "updated_date": f"{yesterday()}T12:00:{number:02}Z"})
    volume = runs.checks(today(back=10), yesterday())["volume"]
    assert (volume.passed, volume.severity) == (False, dg.AssetCheckSeverity.WARN)
    # the first seven days have nothing to be compared with; two days are usual, one is not
    assert figures(volume) | {"unusual": ""} == {"partitions": 3, "unusual_partitions": 1, "unusual": ""}
    assert figures(volume)["unusual"] == f"- {yesterday()}: 30 rows; the partitions before have 10 to 10"


def test_every_table_of_the_project_has_the_checks() -> None:
    graph = build_defs().resolve_asset_graph()
    for key in pulled_assets(graph):
        names = {check.name for check in graph.asset_check_keys if check.asset_key == key}
        assert names >= {"coverage", "row_count", "schema", "volume", "freshness"}, key


@pytest.mark.parametrize("key", [(), ("id",)])
def test_every_check_of_a_table_has_a_result(key: tuple[str, ...]) -> None:
    """A spec without a result makes every run of every table fail, after its rows have landed."""
    results = of_landed(Landed(), Target(TableName("vendor", "rows"), key), [], "it has no partitions")
    specs = table_checks("vendor", "rows", keyed=bool(key))
    assert sorted(str(each.check_name) for each in results) == sorted(spec.name for spec in specs)
