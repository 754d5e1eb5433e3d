"""Whole syncs, through Dagster, over HTTP: octolis has what the source has, and every row's result is recorded."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orgdata_dagster.sandbox.octolis import Dataset
from orgdata_dagster_tests.vendors.octolis.sync.rig import COLUMNS, CONTACTS, Rig

ROWS = int(os.environ.get("ORGDATA_TEST_ROWS", "600"))  # hundreds; 20,000 take half a minute
OUTCOMES = "SELECT outcome, count(*) FROM octolis.out_results GROUP BY 1 ORDER BY 1"


@pytest.fixture
def rig(own_home: Path, stack: ExitStack) -> Rig:
    assert own_home
    return Rig(stack)


def test_rows_that_are_wrong_stay_behind_with_their_reasons_and_are_sent_once_they_are_corrected(rig: Rig) -> None:
    """3 % of the rows are bad."""
    run: dict[str, Any] = {"batch_size": 500}
    rig.write(CONTACTS.format(rows=ROWS))
    rig.write("UPDATE marts.contacts SET n = 3000000000 WHERE id % 100 = 10")  # beyond int32
    rig.write("UPDATE marts.contacts SET email = NULL WHERE id % 200 = 20")  # no key
    rig.write("UPDATE marts.contacts SET email = 'p1@example.org' WHERE id IN (31, 32)")  # the key of another row
    rig.write("UPDATE marts.contacts SET born_at = DATE '11990-01-01' WHERE id % 100 = 40")  # a year of five digits
    bad = ROWS // 100 * 2 + ROWS // 200 + 3
    first = rig.run(**run)
    assert first.success, first.failure
    requests = -(-(ROWS - bad) // 500)
    assert (first.metadata["written"], first.metadata["rejected"]) == (ROWS - bad, bad)
    assert (first.metadata["requests"], len(rig.people)) == (requests, ROWS - bad)
    assert set(rig.sql("SELECT DISTINCT key IS NULL, reason FROM octolis.out_results WHERE outcome = 'rejected'")) == {
        (False, "n: must be between -2147483648 and 2147483647"),
        (True, "email: is part of the key and must not be empty"),
        (False, "3 rows of the source have this key"),
        (False, "born_at: must be a date-time as YYYY-MM-DD HH:MM:SS"),
    }
    wrong = {key for (key,) in rig.sql("SELECT key FROM octolis.out_results WHERE outcome = 'rejected'")}
    assert {key for key, wanted, taken in rig.differences()} - {None} == {
        key[2:-2] for key in wrong if key
    }  # all others are as they were meant
    assert not first.checks["rejected"].passed
    second = rig.run(**run)
    assert (second.metadata["unchanged"], rig.requests()) == (ROWS - bad, requests)
    assert rig.sql(OUTCOMES) == [("rejected", bad), ("written", ROWS - bad)]  # not once more

    rig.write(CONTACTS.format(rows=ROWS))  # corrected
    rig.write("UPDATE marts.contacts SET phone = 'new' WHERE id = 500")  # changed, and no matter of --rejected
    third = rig.run(**run, rejected=True)
    assert (third.metadata["written"], third.metadata["skipped"]) == (bad, ROWS - bad)
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_rejected") == [(0,)]
    assert rig.run(**run).metadata["written"] == 1
    assert (rig.differences(), max(rig.people.received.values())) == ([], 2)  # p500, which changed


def test_only_changed_rows_are_sent_and_refused_rows_are_not_sent_again(rig: Rig) -> None:
    rig.people.schema.columns["n"] = type(COLUMNS[0])("n", "text")  # octolis' idea of it is another one
    rig.write("UPDATE marts.contacts SET n = NULL WHERE id >= 6")
    first = rig.run()
    assert (first.metadata["written"], first.metadata["rejected"]) == (114, 6)
    assert rig.sql("SELECT DISTINCT reason FROM octolis.out_results WHERE outcome = 'rejected'") == [
        ("Validation failed for the provided data: n (#/properties/n/type) - must be string",)
    ]
    seen = rig.requests()
    second = rig.run()
    assert (second.metadata["refused_before_and_unchanged"], second.metadata["unchanged"]) == (6, 114)
    assert (second.metadata["rejected"], second.checks["rejected"].passed) == (6, False)  # they still are
    assert rig.requests() == seen
    rig.people.schema.columns["n"] = COLUMNS[2]  # corrected at octolis
    third = rig.run(rejected=True)
    assert (third.metadata["written"], third.checks["rejected"].passed) == (6, True)
    assert rig.differences() == []
    rig.write("UPDATE marts.contacts SET n = 7 WHERE id < 3")
    assert rig.run().metadata["written"] == 3
    assert rig.differences() == []


def test_null_changes_nothing_unless_the_column_is_erased(rig: Rig) -> None:
    rig.run()
    rig.write("UPDATE marts.contacts SET phone = NULL, n = NULL WHERE id = 5")
    assert rig.run(erase_nulls=["n"]).success
    (row,) = (row for row in rig.people.truth() if row["email"] == "p5@example.org")
    assert (row["phone"], row["n"]) == ("05", None)


def test_a_batch_that_is_refused_whole_is_split_until_the_faulty_rows_are_alone(rig: Rig) -> None:
    rig.vendor.all_or_none = True
    rig.people.schema.columns["n"] = type(COLUMNS[0])("n", "text")
    rig.write("UPDATE marts.contacts SET n = NULL WHERE id NOT IN (3, 77)")
    done = rig.run()
    assert (done.metadata["written"], done.metadata["rejected"]) == (118, 2)
    rejected = rig.sql("SELECT key, reason FROM octolis.out_results WHERE outcome = 'rejected' ORDER BY row")
    assert [key for key, _ in rejected] == ['["p3@example.org"]', '["p77@example.org"]']
    assert all("must be string" in reason for _, reason in rejected)
    assert max(rig.people.received.values()) == 1
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]


def test_protected_columns_are_reported_and_request_ids_are_kept(rig: Rig) -> None:
    rig.run(source="SELECT email, 'mine' AS origin FROM marts.contacts")
    found = rig.sql("SELECT DISTINCT ignored_columns FROM octolis.out_results")
    assert found == [(["origin"],)]
    told = {row[0] for row in rig.sql("SELECT apigw_requestid FROM octolis.out_results")}
    assert told == {entry.request_id for entry in rig.sandbox.log.entries()}
    masterids = dict(rig.sql("SELECT key, masterid FROM octolis.out_results"))
    assert masterids == {f'["{row["email"]}"]': row["__masterid__"] for row in rig.people.truth()}
    assert all(trace.startswith("00-") for (trace,) in rig.sql("SELECT traceparent FROM octolis.out_results"))


def test_updates_go_by_masterid(rig: Rig) -> None:
    rig.run()
    ids = ", ".join(f"('{row['email']}', '{row['__masterid__']}')" for row in rig.people.truth())
    rig.write(f"CREATE TABLE marts.ids AS SELECT * FROM (VALUES {ids}) AS t(email, masterid)")
    source = "SELECT masterid, n + 1 AS counted FROM marts.contacts JOIN marts.ids USING (email)"
    mapping = {"masterid": "__masterid__", "counted": "n"}
    done = rig.run(name="counts", mode="update", key=[], source=source, mapping=mapping)
    assert done.success, done.failure
    assert (done.metadata["written"], done.metadata["rejected"]) == (120, 0)
    assert {entry.method for entry in rig.sandbox.log.entries()[-3:]} == {"PATCH"}
    assert sorted(row["n"] for row in rig.people.truth()) == list(range(1, 121))


def test_records_that_an_answer_reports_as_merged_leave_the_tables(own_home: Path, stack: ExitStack) -> None:
    assert own_home
    rig = Rig(stack, keys=(("email",), ("phone",)))
    one = rig.people.upsert({"email": "p1@example.org", "phone": None}).record["__masterid__"]
    other = rig.people.upsert({"email": None, "phone": "01"}).record["__masterid__"]
    rig.write("CREATE SCHEMA octolis; CREATE TABLE octolis.people (__masterid__ VARCHAR)")
    rig.write(f"INSERT INTO octolis.people VALUES ('{one}'), ('{other}')")
    rig.read = {"people": "people", "others": "another"}
    done = rig.run(key=["email", "phone"])
    assert (done.success, done.metadata["merges"]) == (True, 1)
    assert rig.sql("SELECT * FROM octolis.people") == [(one,)]
    assert rig.sql("SELECT masterid, merged_masterid FROM octolis.people_merges") == [(one, other)]
    assert rig.sql("SELECT masterid FROM octolis.out_results WHERE len(merged_masterids) > 0") == [(one,)]


def test_a_dry_run_sends_nothing_and_shows_what_would_go(rig: Rig) -> None:
    rig.write("UPDATE marts.contacts SET n = 3000000000 WHERE id = 4")
    for options in ({"dry_run": True}, {"source": "marts.contacts", "dry_run": True}):
        done = rig.run(**options)
        assert done.success, done.failure
        assert (done.metadata["to_send"], done.metadata["rejected_before_sending"]) == (119, 1)
        assert (done.metadata["requests_needed"], done.metadata["points_needed"]) == (3, 30)
        shown = done.metadata["summary"]
        assert "| 20 " in shown
        assert "| 22 " not in shown  # the first twenty rows, without the fifth
        assert "n: must be between" in shown
    assert rig.run(dry_run=True).metadata["dry_run"] is True  # the tag wins over `dry_run: false`
    assert (rig.requests(), len(rig.people)) == (0, 0)
    assert rig.sql("SELECT table_name FROM duckdb_tables() WHERE schema_name <> 'marts'") == []


def test_it_is_a_dry_run_until_the_yaml_says_otherwise(rig: Rig) -> None:
    from orgdata_dagster.vendors.octolis.sync.component import OctolisSync

    careful = OctolisSync(name="out", dataset="people", source="marts.contacts", key=["email"])
    shown = rig.run(careful).metadata
    assert (shown["dry_run"], "until the YAML says `dry_run: false`" in shown["summary"]) == (True, True)
    assert len(rig.people) == 0


def test_a_dataset_of_another_id_is_another_one(rig: Rig) -> None:
    """What the old dataset has, the new one does not."""
    rig.run()
    rig.vendor.datasets["fresh"] = Dataset("fresh", COLUMNS, (("email",),))
    assert rig.run(dataset="fresh").metadata["written"] == 120


def test_all_restores_what_was_edited_or_deleted_at_the_vendor(rig: Rig) -> None:
    """A plain sync compares with what octolis accepted last, not with what it has now."""
    assert rig.run().metadata["written"] == 120
    edited = rig.people.upsert({"email": "p3@example.org", "phone": "edited by hand"})
    assert edited
    (record,) = [record for record in rig.people.truth() if record["email"] == "p4@example.org"]
    rig.people.delete(str(record["__masterid__"]))
    assert {key for key, *_ in rig.differences()} == {"p3@example.org", "p4@example.org"}
    plain = rig.run()
    assert (plain.metadata["unchanged"], plain.metadata["written"]) == (120, 0)
    shown = rig.run(everything=True, dry_run=True)
    assert (shown.metadata["to_send"], len(rig.differences())) == (120, 2)
    again = rig.run(everything=True)
    assert (again.metadata["written"], again.metadata["unchanged"], rig.differences()) == (120, 0, [])
    assert rig.run().metadata["unchanged"] == 120


def test_all_sends_again_what_octolis_refused(rig: Rig) -> None:
    rig.people.schema.columns["n"] = type(COLUMNS[0])("n", "text")
    rig.write("UPDATE marts.contacts SET n = NULL WHERE id >= 6")
    assert rig.run().metadata["rejected"] == 6
    rig.people.schema.columns["n"] = COLUMNS[2]  # corrected at octolis
    assert rig.run().metadata["refused_before_and_unchanged"] == 6
    assert rig.run(everything=True).metadata["written"] == 120
    assert rig.differences() == []
