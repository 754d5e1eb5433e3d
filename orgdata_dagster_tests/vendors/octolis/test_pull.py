"""Whole pulls, through Dagster, over HTTP, into a warehouse: the table equals the dataset after any kind of change."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.sandbox.faults import Empty, ErrorBody
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import DATASETS, Octolis, SeenRequest, demo
from orgdata_dagster_tests.vendors.octolis.rig import OPTIONS, Rig, people
from orgdata_dagster_tests.warehouses import fewer_on_a_lake

SMALL = replace(OPTIONS, page_size=250)  # a quarter of the usual size, for a quarter of the records


def happen(vendor: Octolis, name: str, times: int, chance: random.Random) -> None:
    """Make updates, inserts, deletions and merges."""
    if not times:
        return
    dataset = vendor.datasets[name]
    alive = [record["__masterid__"] for record in dataset.truth()]
    for number in range(times):
        one, other = chance.sample(alive, 2)
        what = chance.choice(("update", "update", "insert", "merge", "delete"))
        if what == "update":
            dataset.update(one, {"n": number})
        elif what == "insert":
            dataset.upsert({"email": f"new{chance.random()}", "phone": f"+{chance.random()}", "n": number})
        elif what == "merge":
            alive.remove(other if dataset.merge(one, other) == one else one)
        else:
            dataset.delete(one)
            alive.remove(one)


@pytest.mark.parametrize("name", DATASETS)
def test_the_table_equals_the_dataset_with_every_awkward_value(pulled_demo: Rig, name: str) -> None:
    pulled = pulled_demo.first[name]
    assert pulled.success, pulled.failure
    assert pulled_demo.difference(name) == {}
    assert {check: found.passed for check, found in pulled.checks.items()} == dict.fromkeys(
        ("coverage", "count", "keys", "row_count", "schema", "volume"), True
    )
    assert pulled.metadata["dagster/row_count"] == len(pulled_demo.vendor.truth(DATASETS[name]) or ())


def test_types_are_those_of_the_json(pulled_demo: Rig) -> None:
    types = dict(pulled_demo.sql("SELECT column_name, column_type FROM (DESCRIBE octolis.contacts)"))
    expected = {"tags": "VARCHAR[]", "consent_sms": "BOOLEAN", "points": "BIGINT", "score": "DOUBLE"}
    expected |= {"external_id": "VARCHAR", "note": "VARCHAR", "__modified_at__": "TIMESTAMP WITH TIME ZONE"}
    assert {name: types[name] for name in expected} == expected


@pytest.mark.parametrize("name", DATASETS)
def test_a_second_pull_with_nothing_changed_is_cheap_and_changes_no_row(pulled_demo: Rig, name: str) -> None:
    everything = f"SELECT * FROM octolis.{name} ORDER BY ALL"
    before, requests = pulled_demo.sql(everything), len(pulled_demo.sandbox.log.entries())
    pulled = pulled_demo.pull(name)
    assert pulled_demo.sql(everything) == before
    assert len(pulled_demo.sandbox.log.entries()) - requests <= 3
    assert pulled.metadata["rows"] == 0


def test_only_what_changed_is_read_and_written(people_rig: Rig) -> None:
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    for record in dataset.truth()[:40]:
        dataset.update(record["__masterid__"], {"n": -1})
    pulled = people_rig.pull("people")
    assert people_rig.difference("people") == {}
    assert (pulled.metadata["rows"], pulled.metadata["requests"]) == (40, 2)


def test_records_that_become_visible_late_are_requested_again(people_rig: Rig) -> None:
    """A long write has the instant at which it began. Both records are older than the newest one that was pulled."""
    dataset = people_rig.vendor.datasets["people"]
    now = datetime.now(UTC)
    dataset.upsert({"email": "newest", "phone": "newest"}, now)
    people_rig.pull("people", options := replace(OPTIONS, lookback=timedelta(seconds=600)))
    dataset.update(dataset.truth()[0]["__masterid__"], {"n": -1}, at=now - timedelta(seconds=500))
    pulled = people_rig.pull("people", options)
    assert people_rig.difference("people") == {}
    assert pulled.metadata["rounds"] == 1


def test_a_thousand_changes_between_two_pulls(people_rig: Rig) -> None:
    people_rig.pull("people")
    happen(people_rig.vendor, "people", 1_000, random.Random(1))
    pulled = people_rig.pull("people")
    assert pulled.checks["count"].passed
    assert people_rig.difference("people") == {}


@pytest.mark.parametrize("seed", range(2))
def test_changes_while_a_pull_reads_are_there_after_the_next_one_at_the_latest(
    own_home: Path, stack: ExitStack, seed: int
) -> None:
    assert own_home
    rig = Rig(stack, people(625, stable_ties=seed % 2 == 0))
    chance = random.Random(seed)
    rig.vendor.on_request = lambda _: happen(rig.vendor, "people", chance.choice((0, 1, 3, 30)), chance)
    for _ in range(2):
        pulled = rig.pull("people", SMALL)
        assert pulled.success, pulled.failure
        duplicates = "SELECT __masterid__ FROM octolis.people GROUP BY ALL HAVING count(*) > 1"
        assert rig.sql(duplicates) == []
    rig.vendor.on_request = None
    assert rig.pull("people", SMALL).checks["count"].passed
    assert rig.difference("people") == {}


def test_merged_records_leave_the_table_and_are_kept_in_a_second_table(people_rig: Rig) -> None:
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    first, second, third = (record["__masterid__"] for record in dataset.truth()[:3])
    assert dataset.merge(first, second) == first
    pulled = people_rig.pull("people")
    assert (pulled.metadata["merges"], pulled.metadata["rounds"]) == (1, 1)
    dataset.merge(first, third)
    people_rig.pull("people")
    kept = people_rig.sql("SELECT masterid, merged_masterid FROM octolis.people_merges ORDER BY _orgdata_loaded_at")
    assert kept == [(first, second), (first, third)]
    assert people_rig.difference("people") == {}


def test_deleted_records_are_noticed_by_the_count_and_found_by_a_walk(people_rig: Rig) -> None:
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    for record in dataset.truth()[5:900:100]:
        dataset.delete(record["__masterid__"])
    pulled = people_rig.pull("people")
    assert people_rig.difference("people") == {}
    assert pulled.checks["count"].passed
    assert pulled.metadata["rounds"] == 3
    assert pulled.metadata["rows"] == 0, "what stayed is untouched"


def test_records_that_leave_a_filter_leave_the_table(people_rig: Rig) -> None:
    filtered = {"filter": "vip:true", "selection": ["email"]}
    people_rig.pull("people", **filtered)
    dataset = people_rig.vendor.datasets["people"]
    vips = [record for record in dataset.truth() if record["vip"]]
    dataset.update(vips[7]["__masterid__"], {"vip": False})
    people_rig.pull("people", **filtered)
    emails = people_rig.sql("SELECT email FROM octolis.people ORDER BY 1")
    assert emails == sorted((record["email"],) for record in vips if record is not vips[7])


def test_a_sql_dataset_that_keeps_its_instants_is_read_again_after_a_while(people_rig: Rig) -> None:
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    dataset.update(dataset.truth()[0]["__masterid__"], {"n": -1}, touch=False)
    people_rig.pull("people")
    assert people_rig.difference("people") != {}, "nothing tells that it changed"
    people_rig.pull("people", replace(OPTIONS, full_walk_every=timedelta(0)))
    assert people_rig.difference("people") == {}


def test_a_run_tag_makes_a_run_read_everything(people_rig: Rig) -> None:
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    dataset.update(dataset.truth()[0]["__masterid__"], {"n": -1}, touch=False)
    people_rig.pull("people", tags={FULL_WALK_TAG: "true"})
    assert people_rig.difference("people") == {}


def test_counts_that_stay_different_are_a_failing_check_with_both_figures(people_rig: Rig) -> None:
    def one_more(asked: SeenRequest) -> None:
        if asked.path.endswith("/count"):
            people_rig.vendor.datasets["people"].upsert({"email": f"late{asked.number}", "phone": f"+{asked.number}"})

    people_rig.vendor.on_request = one_more
    pulled = people_rig.pull("people")
    check = pulled.checks["count"]
    assert not check.passed
    assert check.severity.value == "ERROR"
    assert {name: value.value for name, value in check.metadata.items()} == {"octolis": 2504, "table": 2503}
    reasons = people_rig.sql("SELECT DISTINCT complete, reason FROM _orgdata.coverage")
    assert reasons == [(False, "octolis counts 2504 records, the table has 2503")]
    people_rig.vendor.on_request = None
    assert people_rig.pull("people").checks["count"].passed
    assert people_rig.sql("SELECT DISTINCT complete, reason FROM _orgdata.coverage") == [(True, None)]


def test_far_more_records_than_before_are_reported(people_rig: Rig) -> None:
    people_rig.landed_before("people", [100, 120, 90, 110, 100, 100, 100])
    volume = people_rig.pull("people").checks["volume"]
    assert (volume.passed, volume.severity.value) == (False, "WARN")
    assert volume.metadata["unusual"].value == "- now: 2,500 rows; the partitions before have 90 to 120"
    assert not people_rig.pull("people").checks["volume"].metadata["unusual_partitions"].value, "2500 are usual by now"


def test_pages_shorter_than_requested_lose_no_row(people_rig: Rig) -> None:
    """A short page looks like the last one: records that were not returned must not be considered deleted."""
    people_rig.pull("people")
    shorter = replace(OPTIONS, full_walk_every=timedelta(0), page_size=50_000)
    records = people_rig.vendor._list
    people_rig.vendor._list = lambda dataset, request: records(_Shorter(dataset), request)  # type: ignore[method-assign]
    pulled = people_rig.pull("people", shorter)
    assert pulled.success, pulled.failure
    assert people_rig.difference("people") == {}


class _Shorter:
    """A dataset of which only the newest 500 records can be listed."""

    def __init__(self, dataset: object) -> None:
        self._dataset = dataset
        self.columns = dataset.columns  # type: ignore[attr-defined]

    def newest_first(self) -> object:
        return self._dataset.newest_first()[:500]  # type: ignore[attr-defined]


def test_a_dataset_that_loses_most_records_is_read_again_and_then_accepted(people_rig: Rig) -> None:
    """The pages may have ended too early: the second walk decides, and the check `volume` warns."""
    people_rig.pull("people")
    dataset = people_rig.vendor.datasets["people"]
    for record in dataset.truth()[100:]:
        dataset.delete(record["__masterid__"])
    people_rig.sandbox.log.clear()
    pulled = people_rig.pull("people", tags={FULL_WALK_TAG: "true"})
    assert people_rig.difference("people") == {}
    told = pulled.checks["volume"]
    assert (told.passed, told.metadata["unusual"].value) == (False, "- now: 100 rows, 2500 were stored before")
    counts = [each for each in people_rig.sandbox.log.entries() if each.endpoint.endswith("/count")]
    assert len(counts) == 2, "each walk asks for the count"


def test_a_walk_and_a_count_that_are_cut_once_take_nothing_away(people_rig: Rig) -> None:
    people_rig.pull("people")
    vendor, answers = people_rig.vendor, [0]
    records, count = vendor._list, vendor._count

    def cut(dataset: object) -> object:
        answers[0] += 1
        return _Shorter(dataset) if answers[0] <= 2 else dataset  # the only page, and the count

    vendor._list = lambda dataset, request: records(cut(dataset), request)  # type: ignore[method-assign,arg-type]
    vendor._count = lambda dataset, request: count(cut(dataset), request)  # type: ignore[method-assign,arg-type]
    everything = replace(OPTIONS, full_walk_every=timedelta(0), page_size=50_000)
    pulled = people_rig.pull("people", everything)
    assert pulled.success, pulled.failure
    assert people_rig.difference("people") == {}
    assert pulled.checks["coverage"].passed


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("sandbox-octolis-key", "nobody", "Dataset not found"),
        ("wrong-canary", "people", "OCTOLIS_API_KEY"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error_and_leaves_the_table(
    people_rig: Rig, own_home: Path, key: str, name: str, said: str
) -> None:
    people_rig.pull("people")
    pulled = people_rig.pull(name, key=key)
    assert not pulled.success
    assert said in pulled.failure
    assert people_rig.difference("people") == {}
    secret = key.encode()
    assert not [path for path in own_home.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.fixture
def contacts(own_home: Path, stack: ExitStack) -> Rig:
    """Contacts of a small demo, with every awkward value, pulled once."""
    assert own_home
    rig = Rig(stack, demo(records=1_000, limits=UNLIMITED))
    assert rig.pull("contacts", SMALL).success
    assert rig.difference("contacts") == {}
    return rig


@pytest.mark.parametrize("fault", [Empty("rows"), Empty("totals"), Empty("bytes")], ids=lambda fault: fault.form)
def test_one_empty_answer_loses_no_record(contacts: Rig, fault: Empty) -> None:
    for after in (0, 1):
        contacts.vendor.faults.clear()
        contacts.vendor.faults.add(fault, after=after)
        pulled = contacts.pull("contacts", SMALL, tags={FULL_WALK_TAG: "true"})
        assert pulled.success, pulled.failure
        assert contacts.difference("contacts") == {}, after
        assert pulled.checks["coverage"].passed, after


# pages, the look at the front, and the count, which has no rows to be without
@pytest.mark.parametrize(("fault", "requests"), [(Empty("rows"), 4), (Empty("totals"), 5)], ids=["rows", "totals"])
def test_empty_answers_that_stay_leave_what_is_stored_and_say_so(contacts: Rig, fault: Empty, requests: int) -> None:
    for after in range(fewer_on_a_lake(requests)):
        contacts.vendor.faults.clear()
        contacts.vendor.faults.add(fault, times=200, after=after)
        pulled = contacts.pull("contacts", SMALL, tags={FULL_WALK_TAG: "true"})
        assert contacts.difference("contacts") == {}, after
        assert not (pulled.success and pulled.checks["coverage"].passed), after


def test_an_error_with_status_200_is_not_data(contacts: Rig) -> None:
    for body in ({"error": {"code": 17}}, [{"error": "x"}], {"records": [{"error": "x"}]}, {}):
        contacts.vendor.faults.add(ErrorBody(body), times=2)
        assert not contacts.pull("contacts", SMALL).success, body
        assert contacts.difference("contacts") == {}, body


def test_ids_of_another_type_leave_no_old_rows() -> None:
    """Octolis' count shows at once that the old rows are gone."""
    first = datetime.now(UTC) - timedelta(hours=1)
    with ExitStack() as stack:
        rig = Rig(stack, people(5))
        for kind in (int, str):
            times = [(first + timedelta(seconds=n)).isoformat(timespec="milliseconds")[:-6] + "Z" for n in range(5)]
            records = [{"__masterid__": kind(n), "n": n, "__modified_at__": at} for n, at in enumerate(times)]
            rig.vendor.faults.add(ErrorBody({"records": records}))
            rig.vendor.faults.add(ErrorBody({"count": 5}))
            pulled = rig.pull("people")
            assert (pulled.success, pulled.checks["keys"].passed, pulled.checks["count"].passed) == (True, True, True)
            assert rig.sql("SELECT count(*), count(DISTINCT n) FROM octolis.people") == [(5, 5)]
