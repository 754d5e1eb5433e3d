"""Whole pulls, through Dagster, over HTTP, into a warehouse: every table equals what the vendor counts."""

from datetime import timedelta
from typing import Any

import pytest

from orgdata_dagster.orchestration.assets import intake, landing
from orgdata_dagster.sandbox.channel_reports.demo_data import EMPTY_CHANNEL, QUIET_DAY
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS, FIELD_COLUMNS
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.channel_reports.rig import DAYS, Rig, days, midnight, one_day

pytestmark = pytest.mark.xdist_group("channel_reports: all tables")  # with --dist loadgroup, one process pulls them
SELECTIONS = "reports_per_field_selection"


@pytest.mark.parametrize("name", ENDPOINTS)
def test_row_by_row_with_an_empty_channel_and_days_without_reports(pulled: Rig, name: str) -> None:
    truth = pulled.truth(name, days(DAYS))
    assert pulled.rows(name) == truth
    assert sum(truth.values()) > DAYS
    of_empty = pulled.sql(f"SELECT count(*) FROM channel_reports.{name} WHERE channel_id = {EMPTY_CHANNEL}")
    assert of_empty == [(DAYS + 1 if name == "reports_read" else 0,)]  # the one that is an object is never without rows
    assert pulled.types(name) == ENDPOINTS[name].types


def test_days_without_reports_are_covered_all_the_same(pulled: Rig) -> None:
    covered = pulled.sql(
        "SELECT partition_key, from_instant, to_instant FROM _orgdata.coverage "
        "WHERE table_name = 'reports_images' AND complete ORDER BY 1"
    )
    closed = [(today(back), midnight(back), midnight(back - 1)) for back in range(DAYS, 0, -1)]
    assert covered[:-1] == closed
    assert today(back=QUIET_DAY) in dict(closed_day[:2] for closed_day in closed)
    key, start, end = covered[-1]  # today is complete up to now only
    assert (key, start) == (today(), midnight())
    assert start < end < start + timedelta(days=1)


def test_styles_are_columns_and_the_range_is_as_served(pulled: Rig) -> None:
    (row,) = pulled.sql("SELECT styles_thumb, styles_medium FROM channel_reports.reports_images LIMIT 1")
    assert [f"/{size}/" in address for size, address in zip(("thumb", "medium"), row, strict=True)] == [True, True]
    assert pulled.sql("SELECT DISTINCT datetime_range_width FROM channel_reports.reports_over_time") == [("day",)]


def test_the_fields_of_every_type_are_a_table_and_those_that_count_are_asked_for(pulled: Rig) -> None:
    forms = [(channel.id, form) for channel in pulled.vendor.channels.values() for form in channel.forms]
    truth = [
        (channel, form.id, form.name, field.id, field.name, field.field_type)
        for channel, form in forms
        for field in form.fields
    ]
    found = pulled.sql(f"SELECT {', '.join(FIELD_COLUMNS)} FROM channel_reports.fields")
    assert sorted(found) == sorted(truth)
    assert len({row[-1] for row in found}) > 3
    covered = pulled.sql("SELECT complete FROM _orgdata.coverage WHERE table_name = 'fields'")
    assert covered == [(True,)], "or the check `freshness` fails"
    asked = {(int(each.query["channel_id"]), int(each.query["field_id"])) for each in pulled.asked(SELECTIONS)}
    assert asked == {(row[0], row[3]) for row in truth if row[-1] in ("Category", "DropDown", "Radio")}


def test_the_vendor_is_asked_once_for_each_window_and_channel_and_for_all_fields(pulled: Rig) -> None:
    for name, endpoint in ENDPOINTS.items():
        if name == SELECTIONS:
            continue
        asked = pulled.asked(name)
        windows = {(each.query["channel_id"], each.query["start_date"], each.query["end_date"]) for each in asked}
        compared = [each for each in asked if not one_day(each)]
        assert len(compared) == (3 if endpoint.additive else 0)
        assert len(asked) - len(compared) == 3 * (DAYS + 1)
        assert len(windows) == len(asked)
        assert {each.query.get("fields", "") for each in asked} == {",".join(endpoint.fields)}
    assert len(pulled.asked("forms")) == 3 + 3  # once for the table, once for the run that needs them


@pytest.mark.parametrize("limit", [1 << 20, 300])
def test_small_answers_need_no_files_as_long_as_there_is_memory(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Creating and deleting a file per answer once took a sixth of the time of a year of small requests."""
    with_files, real = list[bool](), landing.commit

    def commit(warehouse: Warehouse, target: Target, stage: Stage, *rest: Any, **named: Any) -> Any:
        with_files.extend(staged.page.path.exists() for staged in stage.pages)
        return real(warehouse, target, stage, *rest, **named)

    monkeypatch.setattr(landing, "commit", commit)
    monkeypatch.setattr(intake, "ROOM", limit)
    assert rig.pull("reports_per_state", first=today(back=DAYS), last=today()).success
    assert rig.rows("reports_per_state") == rig.truth("reports_per_state", days(DAYS))
    assert any(with_files) == (limit == 300)
    assert len(with_files) == 3 * (DAYS + 1)
