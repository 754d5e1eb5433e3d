"""Failures: one clear error each, nothing of the answer is stored, and stored rows stay."""

from typing import Any

import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox.channel_reports.demo_data import INCIDENT
from orgdata_dagster.sandbox.faults import CutCsv, Empty, ErrorBody, Html, Status
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.channel_reports.rig import Rig, failure

SELECTIONS = "reports_per_field_selection"


def yesterday() -> str:
    return today(back=1)


def max_retries(rig: Rig, run_id: str) -> str | None:
    """How often Dagster would run this again; None: its default."""
    run = rig.instance.get_run_by_id(run_id)
    assert run is not None
    return run.tags.get("dagster/max_retries")


def test_an_unknown_channel(rig: Rig) -> None:
    name = "reports_per_state"
    assert rig.pull(name, first=yesterday()).success
    before = rig.rows(name)
    result = rig.pull(name, first=yesterday(), channels=[1, 99])
    said = failure(result)
    assert "channel 99: " in said
    assert "no channel 99" in said
    assert "Check `channels` in defs.yaml (is there a channel 99?)" in said
    assert max_retries(rig, result.run_id) == "0"
    assert rig.rows(name) == before


def test_a_bad_token(rig: Rig) -> None:
    rig.vendor.api_token = "another"
    result = rig.pull("reports_per_state", first=today(back=9), last=yesterday())
    said = failure(result)
    assert "401" in said
    assert "CHANNEL_REPORTS_API_TOKEN" in said
    assert "partitions were not tried" in said
    assert max_retries(rig, result.run_id) == "0"
    assert len(rig.asked()) <= 2  # two at once; nobody repeats what cannot help
    assert rig.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'channel_reports'") == []
    assert "sandbox-token" not in said


NO_REPORTS = [
    (Html(), 2, "the answer is an HTML page"),
    (CutCsv(), 2, "the body was cut short"),
    (Status(400, body="so not"), 1, "so not"),
]


def test_an_answer_that_is_not_a_report(rig: Rig) -> None:
    name = "user_awareness"
    assert rig.pull(name, first=yesterday()).success
    before, loads = rig.rows(name), rig.sql("SELECT * FROM _orgdata.loads")
    for fault, tries, words in NO_REPORTS:
        rig.vendor.faults.add(fault, tries, after=1)  # the first channel's report is whole
        said = failure(rig.pull(name, first=yesterday()))
        assert words in said
        assert f"/{name}" in said
        assert rig.rows(name) == before, words
        assert rig.sql("SELECT * FROM _orgdata.loads") == loads, words
        assert not list(settings.staging().glob("run-*"))
    assert rig.pull(name, first=yesterday()).success


def test_an_answer_that_is_not_forms(rig: Rig) -> None:
    said = failure(rig.pull(SELECTIONS, first=yesterday(), api={"forms_path": "/api/v4/analytics/reports_per_user"}))
    assert "channel_id=1" not in said  # no address with parameters
    assert "400" in said or "not as expected" in said


@pytest.mark.parametrize("field", [field for field in INCIDENT.fields if field.field_type in ("Text", "Checkbox")])
def test_a_listed_field_that_cannot_be_counted_is_reported_with_name_and_type(rig: Rig, field: object) -> None:
    assert isinstance(field, type(INCIDENT.fields[0]))
    said = failure(rig.pull(SELECTIONS, first=yesterday(), field_ids=[2, field.id]))
    assert f"field {field.id} ({field.name!r}, {field.field_type}) of channel 1 was refused" in said
    assert "List other fields under `field_ids` in defs.yaml, of type Category, DropDown, Radio" in said
    assert rig.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'channel_reports'") == []
    assert len(rig.asked("forms")) == 1


def test_a_listed_field_is_reported_by_its_id_if_the_forms_do_not_have_it(rig: Rig) -> None:
    said = failure(rig.pull(SELECTIONS, first=yesterday(), field_ids=[5], api={"forms_path": "/api/v4/nowhere"}))
    assert "field 5 of channel 1 was refused" in said
    said = failure(rig.pull(SELECTIONS, first=yesterday(), field_ids=[77]))
    assert "field 77 of channel 1 was refused: channel 1 has no field 77" in said


def test_a_discovered_field_that_is_refused_is_reported_with_name_and_type(rig: Rig) -> None:
    rig.vendor.faults.add(Status(422), after=1)  # the forms come first
    said = failure(rig.pull(SELECTIONS, first=yesterday()))
    assert "field 2 ('Outcome', Category) of channel 1 was refused: simulated fault" in said


def test_listed_fields_are_requested_without_reading_the_forms(rig: Rig) -> None:
    assert rig.pull(SELECTIONS, first=yesterday(), field_ids=[3, 2]).success
    assert rig.asked("forms") == []
    wanted = {(channel, field) for channel in "123" for field in "23"}
    assert {(each.query["channel_id"], each.query["field_id"]) for each in rig.asked()} == wanted
    stored = {dict(row)["field_id"] for row in rig.rows(SELECTIONS)}
    assert stored == {2, 3}


ERRORS: list[Any] = [{"error": {"code": 17, "message": "quota"}}, [{"error": "quota"}], {}]


@pytest.mark.parametrize(
    ("name", "once"), list(zip(["reports_read", "reports_per_state", "user_awareness"], ERRORS, strict=True))
)
def test_an_error_with_status_200_is_not_a_report(rig: Rig, name: str, once: Any) -> None:
    assert rig.pull(name, first=yesterday()).success
    before = rig.rows(name)
    rig.vendor.faults.add(ErrorBody(once), 1, after=1)
    assert rig.pull(name, first=yesterday()).success, "it is requested again"
    for body in ERRORS:
        rig.vendor.faults.add(ErrorBody(body), 2, after=1)  # as many as there are attempts
        assert not rig.pull(name, first=yesterday()).success, body
        assert rig.rows(name) == before, body


def test_an_empty_report_is_requested_again_and_keeps_stored_rows(rig: Rig) -> None:
    name = "reports_per_state"
    assert rig.pull(name, first=yesterday()).success
    before = rig.rows(name)
    rig.vendor.faults.add(Empty("rows"), 1)
    assert rig.pull(name, first=yesterday()).success
    assert rig.rows(name) == before
    assert rig.sql("SELECT count(*) FROM _orgdata.coverage WHERE NOT complete") == [(0,)]
    rig.vendor.faults.add(Empty("rows"), 50)
    assert rig.pull(name, first=yesterday()).success
    assert rig.rows(name) == before
    [(reason,)] = rig.sql("SELECT reason FROM _orgdata.coverage WHERE NOT complete")
    assert "without rows of channel_id 1" in reason


def test_a_count_that_falls_to_0_is_requested_again_and_keeps_the_row(rig: Rig) -> None:
    name = "reports_read"
    assert rig.pull(name, first=yesterday()).success
    before = rig.rows(name)
    rig.vendor.faults.add(Empty("totals"), 1)
    assert rig.pull(name, first=yesterday()).success
    assert rig.rows(name) == before
    assert rig.sql("SELECT count(*) FROM _orgdata.coverage WHERE NOT complete") == [(0,)]
    rig.vendor.faults.add(Empty("totals"), 50)
    assert rig.pull(name, first=yesterday()).success
    assert rig.rows(name) == before
    [(reason,)] = rig.sql("SELECT reason FROM _orgdata.coverage WHERE NOT complete")
    assert "0 total_reads for channel 1" in reason
    assert "--accept-shrink" in reason


def states(count: int) -> ErrorBody:
    """An answer with so many states."""
    return ErrorBody([{"id": n, "name": f"state {n}", "account_id": 1, "report_count": n} for n in range(count)])


def test_a_report_that_loses_most_rows_is_requested_again_and_then_accepted(rig: Rig) -> None:
    """The first answer may be cut off: the second one decides, and the check `volume` warns."""
    name, one = "reports_per_state", {"channels": [1]}

    def pulled(*answers: int) -> tuple[int, bool]:
        for count in answers:
            rig.vendor.faults.add(states(count))
        done = rig.pull(name, first=yesterday(), **one)
        assert done.success
        rig.vendor.faults.clear()
        [volume] = [check for check in done.get_asset_check_evaluations() if check.check_name == "volume"]
        return sum(rig.rows(name).values()), volume.passed

    assert pulled(30) == (30, True)
    assert pulled(3, 30) == (30, True)
    assert pulled(3, 3) == (3, False)
