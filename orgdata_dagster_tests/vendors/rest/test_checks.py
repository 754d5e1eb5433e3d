"""Change probes, reconciliations, full walks, and lists per row of tables that are lists per row themselves."""

from __future__ import annotations

import threading
import time
from typing import Any

import dagster as dg
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orgdata_dagster import settings
from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.sandbox.faults import Empty, ErrorBody, Status
from orgdata_dagster.sandbox.tracker import SeenRequest, shapes
from orgdata_dagster_tests.loading import Refused
from orgdata_dagster_tests.ticks import tick_sensor
from orgdata_dagster_tests.vendors.rest.rig import Rig, failure
from orgdata_dagster_tests.vendors.rest.shapes import CONTACTS, ISSUES, LINKS, ORDERS

CHECKED = "      change_probe: true\n      reconcile: true\n"


def tick(rig: Rig, tables: str, cursor: str | None = None) -> dg.SensorResult:
    defs = rig.definitions(tables)
    [sensor] = defs.sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    assert sensor.name == "tracker_changes"
    return tick_sensor(rig.instance, defs, sensor, cursor)


@pytest.mark.parametrize(("name", "shape"), [("contacts", CONTACTS), ("orders", ORDERS)])
def test_the_sensor_pulls_what_changed_and_nothing_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, shape: str
) -> None:
    monkeypatch.setenv(settings.TEST_SERVER_PROBES, "0")
    yaml = shape.replace("lookback: 60s", "lookback: 0s") + "      change_probe: true\n"
    assert rig.pull(yaml, name).success
    first = tick(rig, yaml)
    rig.sandbox.log.clear()
    quiet = tick(rig, yaml, first.cursor)
    assert not quiet.run_requests
    assert len(rig.sandbox.log.entries()) == 1  # a row
    time.sleep(0.01)
    rig.vendor.lists[name].insert(title="new", project=1, points=1)
    [asked] = tick(rig, yaml, quiet.cursor).run_requests or ()
    assert asked.asset_selection == [dg.AssetKey(["tracker", name])]


def total_items(rig: Rig, tables: str) -> dg.AssetCheckEvaluation:
    [found] = [check for check in rig.check(tables).get_asset_check_evaluations() if check.check_name == "total_items"]
    return found


@pytest.mark.parametrize(("name", "shape"), [("contacts", CONTACTS), ("orders", ORDERS)])
def test_the_table_is_compared_with_the_vendors_total(rig: Rig, name: str, shape: str) -> None:
    yaml = shape + CHECKED
    assert rig.pull(yaml, name).success
    good = total_items(rig, yaml)
    assert good.passed, good.description
    if name == "contacts":  # of a list with filters, what changed since is no fault of the table
        rig.vendor.lists[name].insert(title="new", project=1, points=1)
        moved = total_items(rig, yaml)
        assert moved.passed, moved.description
    with rig.warehouse.open().writing() as connection:
        connection.execute(f"DELETE FROM tracker.{name} WHERE id IN (3, 4)")
    bad = total_items(rig, yaml)
    assert (bad.passed, bad.severity) == (False, dg.AssetCheckSeverity.ERROR)


@pytest.mark.parametrize(
    ("shape", "changes", "said"),
    [
        (LINKS, "      reconcile: true\n", "needs `total`"),
        (ISSUES, "      change_probe: true\n", "one request per row"),
        (ORDERS.replace("total: total", "").replace("stop: total", "stop: empty_page"), "      change_probe: true\n",
         "needs `incremental`"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_refused(rig: Rig, shape: str, changes: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        rig.definitions(shape + changes)


@pytest.mark.parametrize(("every", "is_seen"), [("0s", True), ("7d", False), ("null", False)])
def test_a_full_walk_shows_what_was_deleted(rig: Rig, every: str, is_seen: bool) -> None:
    yaml = LINKS.replace("lookback: 60s", f"lookback: 60s, full_walk_every: {every}")
    assert rig.pull(yaml, "links").success
    rig.vendor.lists["links"].delete(5)
    assert rig.pull(yaml, "links").success
    assert (rig.table("links") == rig.truth("links")) is is_seen
    assert set(rig.coverage("links")) == {None}
    assert rig.pull(yaml, "links", tags={FULL_WALK_TAG: "true"}).success
    assert rig.table("links") == rig.truth("links")


def test_a_full_walk_that_brings_no_row_removes_none(rig: Rig) -> None:
    yaml = LINKS.replace("lookback: 60s", "lookback: 60s, full_walk_every: 0s")
    assert rig.pull(yaml, "links").success
    rig.vendor.faults.add(Empty("rows"), times=90)
    rig.pull(yaml, "links")
    assert rig.table("links") == rig.truth("links")
    assert any(rig.coverage("links"))
    rig.vendor.faults.clear()
    assert rig.pull(yaml, "links").success
    assert set(rig.coverage("links")) == {None}


NESTED = """
    - {name: projects, path: /v2/projects, records: data.items, paginator: {type: single_page}, key: [id]}
    - name: issues
      path: /v2/projects/{project}/issues
      each: {project: projects.id}
      records: data.items
      paginator: {type: cursor, cursor: meta.next_cursor, parameter: after}
      key: [id]
    - name: again
      path: /v2/projects/{project}/issues
      params: {about: "{issue}"}
      each: {project: issues.project, issue: issues.id}
      records: data.items
      paginator: {type: cursor, cursor: meta.next_cursor, parameter: after}
      key: [issue, id]
"""


def test_a_list_per_row_of_a_list_per_row_and_several_at_once(rig: Rig) -> None:
    for number in range(9, 71):
        rig.vendor.lists["issues"].delete(number)
    under_way, most, lock = 0, 0, threading.Lock()

    def watch(_: SeenRequest) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.03)
        with lock:
            under_way -= 1

    rig.vendor.on_request = watch
    assert rig.pull(NESTED, "projects", "issues", "again").success
    assert 2 <= most <= 4  # within `limits.concurrent`
    of = {row["id"]: row["project"] for row in rig.vendor.lists["issues"].all()}
    expected = sorted((str(issue), other) for issue in of for other in of if of[other] == of[issue])
    assert sorted(rig.sql("SELECT CAST(issue AS VARCHAR), id FROM tracker.again")) == expected


def test_each_must_not_form_a_circle(rig: Rig) -> None:
    with pytest.raises(Refused, match="leads in a circle"):
        rig.definitions(NESTED.replace("each: {project: projects.id}", "each: {project: again.issue}"))


def test_an_empty_first_page_that_says_that_more_follow_loses_no_row(rig: Rig) -> None:
    rig.vendor.faults.add(Empty("rows"))
    shape = CONTACTS.replace(", total: total", "")
    assert rig.pull(shape, "contacts").success
    assert rig.table("contacts") == rig.truth("contacts")


def test_no_data_ends_a_list_that_has_a_total(rig: Rig) -> None:
    """A status that means "no rows" once failed, because its answer has no total."""
    rows = rig.vendor.lists["orders"]
    for number in range(1, 71):
        rows.delete(number)
    rig.vendor.faults.add(Status(404), times=9)
    assert rig.pull(ORDERS, "orders", errors={"no_data": [404]}).success
    assert set(rig.coverage("orders")) == {None}


CURSOR = """
    - name: issues
      path: /v2/projects/1/issues
      records: data.items
      paginator: {type: cursor, cursor: meta.next_cursor, parameter: after}
      key: [id]
"""


def test_an_end_without_rows_is_requested_twice_more_if_nothing_else_shows_it(rig: Rig) -> None:
    """A cursor that leads to no row may be the end, and nothing but the answer itself says so."""
    rig.vendor.size = 10
    of_project = [row["id"] for row in rig.vendor.lists["issues"].all() if row["project"] == 1]
    pages = -(-len(of_project) // 10)
    rig.vendor.faults.add(Empty("rows"), times=2, after=pages - 1)
    assert rig.pull(CURSOR, "issues").success
    assert sorted(rig.table("issues")) == of_project


def test_keys_that_differ_only_in_type_are_two_rows_and_the_check_says_so(rig: Rig) -> None:
    """Of 1 and "1" one row was lost once: the column has the same text of both."""
    for title in ("before", "after"):
        rows: list[dict[str, Any]] = [
            {"id": 1, "title": title},
            {"id": "1", "title": "text"},
            {"id": 2, "title": "other"},
        ]
        rig.vendor.faults.add(ErrorBody({"items": rows, "total": 3}))
        done = rig.pull(ORDERS, "orders")
        [check] = [each for each in done.get_asset_check_evaluations() if each.check_name == "keys"]
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert check.metadata["differ_only_in_type"].value == 1
        assert check.description == (
            '1 key differs from another one only in JSON type, as 1 and "1" do; both rows are kept. If the vendor has '
            "changed the type of its ids, `orgdata pull tracker/orders --full` removes the old rows"
        )
        assert rig.sql("SELECT title FROM tracker.orders_current ORDER BY ALL") == sorted(
            (row["title"],) for row in rows
        )


def test_rows_of_one_page_that_a_wrong_key_makes_one_are_refused(rig: Rig) -> None:
    """All but one of them were lost, and no check said so."""
    a, b = {"id": 1, "title": "a"}, {"id": 1, "title": "b"}
    rig.vendor.faults.add(ErrorBody({"items": [a, b], "total": 2}))
    why = failure(rig.pull(ORDERS, "orders"))
    assert "two rows of one page have the key [1] and differ: it does not identify a row" in why
    assert "Correct `key` in defs.yaml: name all columns" in why
    rig.vendor.faults.add(ErrorBody({"items": [a, a], "total": 1}), times=2)
    assert rig.pull(ORDERS, "orders").success  # the same row twice
    assert rig.sql("SELECT title FROM tracker.orders") == [("a",)]


def test_of_two_versions_of_a_row_on_one_page_the_newer_one_lands(rig: Rig) -> None:
    old, new = ({"id": 1, "updated_at": f"2026-01-0{day}T00:00:00.000Z", "title": f"{day}"} for day in (1, 2))
    rig.vendor.faults.add(ErrorBody([new, old]), times=3)
    assert rig.pull(LINKS, "links").success
    assert rig.sql("SELECT title FROM tracker.links WHERE id = 1") == [("2",)]


def test_a_row_without_a_value_of_its_key_is_named(rig: Rig) -> None:
    rig.vendor.faults.add(ErrorBody({"items": [{"id": 1}, {"id": None}], "total": 2}))
    why = failure(rig.pull(ORDERS, "orders"))
    assert "rows without a value of the key column id" in why
    assert why.endswith("Correct `key` in defs.yaml, or ask the vendor.")


def test_an_id_of_another_type_is_a_warning_until_a_full_walk(rig: Rig) -> None:
    """A vendor changes its ids from 1 to "1": both rows stay, because they may be two, but the check must not pass."""

    def keys(**tags: str) -> tuple[bool, str]:
        done = rig.pull(LINKS, "links", tags=tags)
        [check] = [each for each in done.get_asset_check_evaluations() if each.check_name == "keys"]
        assert check.severity == (dg.AssetCheckSeverity.ERROR if check.passed else dg.AssetCheckSeverity.WARN)
        return check.passed, str(check.description)

    assert keys()[0]
    rig.vendor.lists["links"].touch(5, id="5")
    passed, why = keys()
    assert not passed
    assert "1 key differs" in why
    assert "`orgdata pull tracker/links --full` removes the old rows" in why
    assert not keys()[0], "a later pull without changes must not hide it"
    assert keys(**{FULL_WALK_TAG: "true"}) == (True, "None")
    assert rig.sql("SELECT count(*) FROM tracker.links") == [(70,)]


@pytest.mark.parametrize("cap", [20, 40])
@pytest.mark.parametrize("beyond", ["more rows", "no rows", "refused"])
def test_a_total_that_is_reached_with_a_full_page_is_not_believed(rig: Rig, cap: int, beyond: str) -> None:
    """A vendor may count up to a limit only, or only the rows of the page."""
    of_list = rig.vendor.lists["orders"].all()[: 70 if beyond == "more rows" else cap]
    yaml = ORDERS.replace("page_size: 50", "page_size: 20")

    def answer(request: Request, *_: object) -> Response:
        start = int(request.query_params["offset"])
        if beyond == "refused" and start >= cap:
            return JSONResponse({"message": "too far"}, 400)
        return JSONResponse({"items": of_list[start : start + 20], "total": cap})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "offset", answer)
        assert rig.pull(yaml, "orders").success
    assert sorted(rig.table("orders")) == [row["id"] for row in of_list]
    assert any(rig.coverage("orders")) is (beyond == "more rows")


@pytest.mark.parametrize("paging", ["offset", "page_number"])
def test_a_total_that_keeps_changing_ends_the_walk_all_the_same(rig: Rig, paging: str) -> None:
    """It once fell again and again, and each time the walk stepped back: for ever."""
    rows, asked = rig.vendor.lists["orders"].all(), 0

    def answer(request: Request, *_: object) -> Response:
        nonlocal asked
        asked += 1
        start = int(request.query_params.get("offset", (int(request.query_params.get("page", 1)) - 1) * 20))
        return JSONResponse({"items": rows[start : start + 20], "total": 70 + asked % 2})

    yaml = ORDERS.replace("type: offset", f"type: {paging}").replace("parameter: offset\n", "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "offset", answer)
        assert rig.pull(yaml, "orders").success
    assert asked < 300
    assert any(rig.coverage("orders"))
    assert sorted(rig.table("orders")) == [row["id"] for row in rows]
