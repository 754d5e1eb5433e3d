"""An instant with more rows than a page holds: no client can read all of them, and every view reports it."""

import json
from datetime import date

import dagster as dg

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today


def test_an_instant_with_more_rows_than_a_page(home: Home, sandbox: Sandbox) -> None:
    vendor = sandbox.institution_analytics  # pages of 40
    home.write_project(institution_analytics=institution_analytics(api={"page_rows": 40}))
    day = today(back=1)
    instant = f"{day}T07:00:00.000000Z"
    for number in range(50):
        vendor.data_sets["users"].insert({"id": f"tied {number}", "updated_date": instant})

    done = home.orgdata("pull", "institution_analytics/users", "--from", today(back=2))
    assert done.status == 0, done.everything

    [(rows,)] = home.sql("SELECT count(*) FROM institution_analytics.users WHERE id LIKE 'tied %'")
    assert rows == 40  # what there was to be had landed
    gaps = home.sql(
        "SELECT partition_key, from_instant, to_instant, reason FROM _orgdata.coverage "
        "WHERE table_name = 'users' AND NOT complete"
    )
    [(partition, start, end, reason)] = gaps
    assert (partition, start.isoformat()[:26]) == (day, f"{day}T07:00:00+00:00")
    assert (end - start).microseconds == 1
    assert "more than 40 rows at one instant" in reason

    with home.instance() as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        checks = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
        found = [check.event_log_entry.dagster_event.asset_check_evaluation_data for check in checks]  # type: ignore[union-attr]
        [evaluation] = [each for each in found if each.check_name == "coverage"]
        assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert f"{day}T07:00:00" in str(evaluation.metadata["incomplete"].value)

    status = home.shows("status", "--json")
    [users] = [each for each in json.loads(status.out)["tables"] if each["table"].endswith(".users")]
    assert users["incomplete"] == [day]
    assert users["days_complete"] == 1  # the day before; today is never complete
    assert date.fromisoformat(users["first_day"]) == date.fromisoformat(today(back=2))
    assert day in home.shows("status").out
