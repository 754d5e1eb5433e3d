"""Whole pulls, through Dagster, over HTTP, into a warehouse: the table equals the entity, whatever happened to it."""

from __future__ import annotations

import json
import random

import dagster as dg
import pytest

from orgdata_dagster.sandbox.accutics import SeenRequest, search
from orgdata_dagster.sandbox.faults import Empty, ErrorBody
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.accutics.rig import DAYS, ENTITIES, Rig

NAMES = [str(each["name"]) for each in ENTITIES]


def failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]


def coverage_passed(result: dg.ExecuteInProcessResult) -> bool:
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    return checks["coverage"]


def duplicates(rig: Rig, name: str) -> list[object]:
    return list(rig.sql(f"SELECT id FROM accutics.{name} GROUP BY id HAVING count(*) > 1"))


@pytest.mark.parametrize("name", NAMES)
def test_the_table_equals_the_entity_with_every_awkward_value(pulled: Rig, name: str) -> None:
    assert pulled.difference(name) == {}


def test_nested_values_can_be_queried(pulled: Rig) -> None:
    expected = {
        "submissions": {"labels": "VARCHAR[]", "project": "JSON", "author": "JSON", "name": "VARCHAR"},
        "records": {"history": "JSON", "inputs": "JSON", "number": "BIGINT", "updated_at": "TIMESTAMP WITH TIME ZONE"},
        "inputs": {"options": "JSON", "id": "BIGINT"},
        "users": {"roles": "VARCHAR[]", "settings": "JSON", "last_seen": "VARCHAR"},
    }
    for name, columns in expected.items():
        types = pulled.types(name)
        assert {column: types[column] for column in columns} == columns
    ids = [row["project"]["id"] for row in pulled.vendor.entities["submissions"].truth()]
    found = pulled.sql("SELECT CAST(project ->> '$.id' AS BIGINT) FROM accutics.submissions")
    assert sorted(found) == sorted((number,) for number in ids)
    texts = [text for (text,) in pulled.sql("SELECT CAST(inputs AS VARCHAR) FROM accutics.records")]
    assert [json.loads(text) for text in texts]


def test_a_row_lies_in_the_day_of_its_last_change_also_at_its_borders(pulled: Rig) -> None:
    wrong = "SELECT * FROM accutics.records WHERE strftime(updated_at, '%Y-%m-%d') <> _orgdata_partition"
    assert pulled.sql(wrong) == []
    borders = "count_if(updated_at = date_trunc('day', updated_at)), count_if(strftime(updated_at, '%f') > '998')"
    midnight, last = pulled.sql(f"SELECT {borders} FROM accutics.records")[0]
    assert midnight > 1
    assert last > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_second_pull_with_nothing_changed_costs_little_and_changes_no_row(pulled: Rig, name: str) -> None:
    everything = f"SELECT * FROM accutics.{name} ORDER BY id"
    before = pulled.sql(everything)
    pulled.sandbox.log.clear()
    assert pulled.pull(name).success
    assert pulled.sql(everything) == before
    entity, since = pulled.vendor.entities[name], f"{today(back=1)}T23:59:59"
    # today is read again, with the second before it; how many rows today has depends on the hour
    rows = sum(name == "users" or str(row["updated_at"]) >= since for row in entity.truth())
    pages = -(-rows // entity.max_page_size)
    # two requests compare the number of rows; without a cursor column it takes two walks to show that nothing moved
    assert 1 <= len(pulled.sandbox.log.entries()) <= (2 * pages if name == "users" else pages) + 2


class Churn:
    """Changes rows of an entity and adds some, `each` at every request."""

    def __init__(self, rig: Rig, name: str, *, each: int, seed: int) -> None:
        self.entity = rig.vendor.entities[name]
        self.each = each
        self.chance = random.Random(seed)
        self.rows = {row["id"]: row for row in self.entity.truth()}

    def __call__(self, _request: SeenRequest | None = None) -> None:
        for _ in range(self.each):
            key, row = self.chance.choice(list(self.rows.items()))
            if self.chance.random() < 0.3:
                fresh = 10_000 + len(self.rows) if isinstance(key, int) else f"{key[:8]}-{len(self.rows)}"
                self.rows[fresh] = {**row, "id": fresh, "updated_at": None}
                self.entity.insert(self.rows[fresh])
            else:
                self.entity.update(key, {"name": f"n{self.chance.random()}"} if "name" in row else None)


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for seed, name in enumerate(NAMES)])
def test_what_changes_during_the_walk_is_there_after_the_next_pull(rig: Rig, name: str, seed: int) -> None:
    churn = Churn(rig, name, each=1, seed=seed)
    rig.vendor.on_request = churn
    assert rig.pull_everything(name).success
    assert duplicates(rig, name) == []
    assert rig.pull(name).success
    assert duplicates(rig, name) == []
    rig.vendor.on_request = None
    churn.each = 125
    churn()
    assert rig.pull(name).success
    assert rig.difference(name) == {}


def test_deleted_rows_leave_the_table_when_their_day_is_pulled_again(rig: Rig) -> None:
    assert rig.pull_everything("records").success
    gone = [row["id"] for row in rig.vendor.entities["records"].truth() if row["updated_at"] < today()][:5]
    for key in gone:
        rig.vendor.entities["records"].delete(key)
    before = dict(rig.sql("SELECT id, _orgdata_loaded_at FROM accutics.records"))
    assert rig.pull("records", today(back=DAYS), today(back=1)).success
    assert rig.difference("records") == {}
    after = dict(rig.sql("SELECT id, _orgdata_loaded_at FROM accutics.records"))
    assert after == {key: at for key, at in before.items() if key not in gone}


@pytest.mark.parametrize("name", ["submissions", "records", "inputs"])
def test_rows_deleted_today_leave_todays_partition(rig: Rig, name: str) -> None:
    entity = rig.vendor.entities[name]
    for row in entity.truth()[:3]:
        entity.update(row["id"])
    assert rig.pull_everything(name).success
    gone = next(row["id"] for row in entity.truth() if row["updated_at"] >= today())
    entity.delete(gone)
    assert rig.pull(name).success
    assert rig.difference(name) == {}


def yesterday(rig: Rig, name: str) -> dg.ExecuteInProcessResult:
    return rig.pull(name, today(back=1), today(back=1)) if name != "users" else rig.pull(name)


@pytest.mark.parametrize("name", NAMES)
def test_empty_answers_lose_no_row(rig: Rig, name: str) -> None:
    """One is requested again. If they stay empty, what is stored is left as it is, and the run says so.

    Those after the first page: test_client.py.
    """
    assert rig.pull_everything(name).success
    rig.vendor.faults.add(Empty("totals"))
    pulled = yesterday(rig, name)
    assert pulled.success
    assert rig.difference(name) == {}
    assert coverage_passed(pulled)
    for fault, after in ((Empty("rows"), 0), (Empty("totals"), 0), (Empty("rows"), 1)):
        rig.vendor.faults.clear()
        rig.vendor.faults.add(fault, times=90, after=after)
        pulled = yesterday(rig, name)
        assert rig.difference(name) == {}, (fault, after)
        assert not (pulled.success and coverage_passed(pulled)), (fault, after)


def test_a_list_that_loses_most_rows_is_requested_again_and_then_accepted(rig: Rig) -> None:
    """The first answer may be cut off: the second one decides, and the check `volume` warns."""
    assert rig.pull_everything("records").success
    entity = rig.vendor.entities["records"]
    day = today(back=1)
    for row in [row for row in entity.truth() if str(row["updated_at"])[:10] == day][3:]:
        entity.delete(row["id"])
    rig.sandbox.log.clear()
    pulled = rig.pull("records", day, day)
    assert pulled.success
    assert len(rig.sandbox.log.entries()) == 2
    assert rig.difference("records") == {}
    [volume] = [check for check in pulled.get_asset_check_evaluations() if check.check_name == "volume"]
    assert not volume.passed
    assert f"{day}: 3 rows, " in str(volume.metadata["unusual"].value)


ROWS_OF_ERRORS = {"data": [{"error": "quota"}], "meta": {"pagination": {"next": None}}}


def test_an_error_with_status_200_is_not_data(rig: Rig) -> None:
    assert rig.pull("users").success
    for body in ({"error": {"code": "quota"}}, {"data": [], "meta": {}}, [{"error": "x"}], {}, ROWS_OF_ERRORS):
        rig.vendor.faults.add(ErrorBody(body), times=2)
        assert not rig.pull("users").success, body
        assert rig.difference("users") == {}, body


def test_a_list_that_keeps_changing_lands_with_a_warning_until_the_next_pull(rig: Rig) -> None:
    """The vendor sorts by the last change: a changed row moves to the end, and all rows after it move up."""
    entity = rig.vendor.entities["inputs"]
    rig.vendor.on_request = lambda _: entity.update(min(entity.truth(), key=lambda row: row["updated_at"])["id"])
    shaken = rig.pull("inputs", cursor_column=None)
    assert shaken.success
    assert not coverage_passed(shaken)
    assert duplicates(rig, "inputs") == []
    rig.vendor.on_request = None
    quiet = rig.pull("inputs", cursor_column=None)
    assert coverage_passed(quiet)
    assert rig.difference("inputs") == {}


def test_a_closed_day_that_keeps_changing_is_due_again(rig: Rig) -> None:
    """Rows become visible late, so that `total_items` differs from page to page, and no walk can be proven complete."""
    day = today(back=1)
    entity = rig.vendor.entities["submissions"]
    row = entity.truth()[0]

    def appear(asked: SeenRequest) -> None:
        entity.insert({**row, "id": f"late-{asked.number}", "updated_at": f"{day}T23:59:59.000Z"})

    rig.vendor.on_request = appear
    shaken = rig.pull("submissions", day, day, sort=None)
    assert shaken.success
    assert not coverage_passed(shaken)
    covered = "to_instant < from_instant + INTERVAL 1 DAY, complete"
    assert rig.sql(f"SELECT {covered} FROM _orgdata.coverage") == [(True, False)]


def test_a_list_that_is_not_searched_by_its_cursor_column_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the vendor ignored the search, or searched another value, every row would land in every day."""
    entity = rig.vendor.entities["inputs"]
    everything = entity.matching("", "")
    monkeypatch.setattr(entity, "matching", lambda *_: everything)
    said = failure(rig.pull("inputs"))
    assert "correct it in defs.yaml" in said
    assert rig.vendor.jwt() not in said


@pytest.mark.parametrize(("asked", "meant"), [(("gte",), "gt"), (("lt",), "lte")])
@pytest.mark.parametrize("name", ["submissions", "records"])
def test_an_exclusive_or_inclusive_bound_loses_and_repeats_no_row(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, name: str, asked: tuple[str], meant: str
) -> None:
    """With rows at midnight: a vendor that treats `gte` as `gt` would leave them out of both days."""
    monkeypatch.setitem(search._TESTS, asked[0], search._TESTS[meant])
    assert rig.pull_everything(name).success
    assert rig.difference(name) == {}
    assert rig.sql("SELECT count(*) FROM _orgdata.coverage WHERE reason IS NOT NULL") == [(0,)]


def test_times_without_a_zone_are_a_gap(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    entity = rig.vendor.entities["records"]
    matching = entity.after

    def local(*arguments: object) -> object:
        rows, following = matching(*arguments)  # type: ignore[arg-type]
        return [{**row, "updated_at": str(row["updated_at"]).removesuffix("Z")} for row in rows], following

    monkeypatch.setattr(entity, "after", local)
    pulled = rig.pull("records", today(back=1), today(back=1))
    assert pulled.success
    assert not coverage_passed(pulled)


def test_an_id_of_another_type_is_a_warning_until_its_day_is_pulled_again(rig: Rig) -> None:
    def keys(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
        [found] = [check for check in result.get_asset_check_evaluations() if check.check_name == "keys"]
        return found

    assert keys(rig.pull_everything("inputs")).passed
    entity = rig.vendor.entities["inputs"]
    touched = next(row["id"] for row in entity.truth() if not str(row["updated_at"]).startswith(today()))
    entity.update(touched, {"id": str(touched)})
    check = keys(rig.pull("inputs"))
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "pulling their days again (`orgdata pull accutics/inputs --from DAY`) removes the old rows" in str(
        check.description
    )
    assert keys(rig.pull_everything("inputs")).passed
    assert len(rig.sql("SELECT id FROM accutics.inputs")) == len(entity.truth())
