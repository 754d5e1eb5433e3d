"""Obstacles of a sync: each has one clear outcome; nothing is requested for ever, and no row is forgotten."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orgdata_dagster.sandbox.faults import Reset, ShortBody, Status
from orgdata_dagster.writeback.destination import Pace
from orgdata_dagster_tests.vendors.octolis.sync.rig import Rig


@pytest.fixture
def rig(own_home: Path, stack: ExitStack) -> Rig:
    assert own_home
    return Rig(stack)


class FakeClock:
    """Moves only when somebody sleeps; at `until` the dataset is no longer busy."""

    def __init__(self, rig: Rig, until: float) -> None:
        self.now = 0.0
        self._rig = rig
        self._until = until

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self._until:
            self._rig.people.busy(0)


@pytest.mark.parametrize(
    ("attributes", "said", "requests"),
    [
        ({"dataset": "sql"}, ["403", "Dataset is read-only", "Check that the dataset is not a SQL dataset"], 1),
        ({"dataset": "nothing"}, ["404", "Check the dataset's id"], 1),
        (
            {"source": "SELECT phone FROM marts.contacts", "key": ["phone"]},
            ["all of the first 50", "missing: email"],
            1,
        ),
        ({"source": "SELECT email, 1 AS nonsense FROM marts.contacts"}, ["must NOT have additional properties"], 1),
        (
            {"source": "SELECT phone AS mail, [1] AS tags FROM marts.contacts", "erase_nulls": ["city"]},
            ["tags: octolis has no type for INTEGER[]", "key: there is no column 'email'", "no column 'city'"],
            0,
        ),
        (
            {"source": "SELECT * FROM marts.nowhere"},
            ["cannot be read", "nowhere does not exist", "create its tables"],
            0,
        ),
        ({"source": "SELECT *, n * 1e9 AS n2 FROM marts.contacts", "max_rejected": 0.05}, ["max_rejected allows 6"], 0),
    ],
)
def test_a_sync_that_cannot_work_costs_at_most_one_request_and_reports_why(
    rig: Rig, attributes: dict[str, Any], said: list[str], requests: int
) -> None:
    done = rig.run(**attributes)
    assert not done.success
    assert [text for text in said if text not in done.failure] == []
    assert (rig.requests(), len(rig.people)) == (requests, 0)


def test_a_wrong_api_key_costs_one_request(rig: Rig) -> None:
    done = rig.run(resource=rig.resource("wrong"))
    assert "Check OCTOLIS_API_KEY" in done.failure
    assert "120 of 120 rows are left" in done.failure
    assert rig.requests() == 1
    assert rig.sql("SELECT DISTINCT outcome FROM octolis.out_results") == [("not sent",)]
    assert rig.run().metadata["sent_again"] == 0  # a refused request has written nothing
    assert rig.differences() == []


def test_an_unknown_column_is_found_soon_if_whole_batches_are_refused(rig: Rig) -> None:
    rig.vendor.all_or_none = True
    done = rig.run(source="SELECT email, 1 AS nonsense FROM marts.contacts", max_rejected=1)
    assert "octolis refused all of the first 10 rows" in done.failure
    assert rig.requests() < 30


def test_a_dataset_that_is_busy_for_two_minutes_is_waited_for(rig: Rig) -> None:
    rig.people.busy(1e6)
    clock = FakeClock(rig, until=120)
    done = rig.run(pace=lambda _: Pace(600, busy_wait=30, clock=clock))
    assert done.success, done.failure
    assert (clock.now, rig.differences()) == (120, [])
    assert len(rig.sandbox.log.entries(statuses=[423])) == 4
    assert max(rig.people.received.values()) == 1


def test_a_dataset_that_stays_busy_ends_the_run_and_the_next_one_goes_on(rig: Rig) -> None:
    rig.people.busy(1e6)
    clock = FakeClock(rig, until=1e6)
    done = rig.run(pace=lambda _: Pace(600, patience=10, clock=clock))
    assert "busy for 10 s" in done.failure
    assert rig.requests() == 3  # at once, and every five seconds
    assert "120 of 120 rows are left" in done.failure
    rig.people.busy(0)
    assert rig.run().metadata["sent_again"] == 0
    assert rig.differences() == []


def test_a_lost_answer_is_requested_again_unlike_a_refused_request(rig: Rig) -> None:
    rig.vendor.faults.add(ShortBody())
    rig.vendor.faults.add(Status(429, retry_after=0.01), after=1)
    done = rig.run(batch_size=40)
    assert (done.success, rig.differences()) == (True, [])
    found = rig.sql("SELECT attempts, sent_again LIKE '%truncated%', count(*) FROM octolis.out_results GROUP BY ALL")
    assert sorted(found, key=str) == [(1, None, 40), (2, None, 40), (2, True, 40)]
    twice = {email for email, times in rig.people.received.items() if times > 1}
    assert {f'["{email}"]' for email in twice} == {
        key for (key,) in rig.sql("SELECT key FROM octolis.out_results WHERE sent_again IS NOT NULL")
    }


def test_rows_without_a_recorded_answer_are_sent_again_even_if_unchanged(rig: Rig) -> None:
    """octolis has the new value, but orgdata has the hash of the old one and no answer: "unchanged" would be wrong."""
    rig.run()
    rig.write("UPDATE marts.contacts SET n = 1000 WHERE id IN (1, 2)")
    rig.vendor.faults.add(Reset(part=0.5), times=2)
    lost = rig.run()
    assert "gave up after 2 attempts" in lost.failure
    assert rig.sql("SELECT count(*) FROM octolis.out_results WHERE outcome = 'unknown'") == [(2,)]
    rig.write("UPDATE marts.contacts SET n = id WHERE id = 1")
    rig.write("DELETE FROM marts.contacts WHERE id = 2")
    done = rig.run()
    assert (done.metadata["written"], done.metadata["sent_again"]) == (1, 1)
    assert next(row["n"] for row in rig.people.truth() if row["email"] == "p1@example.org") == 1
    gone = "SELECT key FROM octolis.out_results WHERE reason LIKE '%the source no longer has the row'"
    assert rig.sql(gone) == [('["p2@example.org"]',)]
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]
