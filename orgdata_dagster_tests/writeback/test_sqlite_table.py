"""A plain SQL table as a destination: the engine keeps it equal to a SELECT, whatever fails."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.writeback.destination import Pace
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.writeback.rig import Rig

RESULTS = "SELECT outcome, count(*) FROM shop.out_results GROUP BY 1 ORDER BY 1"


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    monkeypatch.setenv(settings.WAREHOUSE, warehouses.variable(tmp_path))
    with in_memory() as instance:
        yield Rig(tmp_path / "shop.sqlite", instance)


def test_the_table_equals_the_select_and_only_changes_are_written(rig: Rig) -> None:
    first = rig.run()
    assert first.success, first.failure
    assert (first.metadata["written"], first.metadata["requests"], first.metadata["points"]) == (100, 10, 10)
    assert (rig.differences(), first.passed) == (set(), True)
    rig.write("UPDATE marts.people SET points = 7 WHERE id < 3; INSERT INTO marts.people VALUES (100, 'new', 1)")
    second = rig.run()
    assert (second.metadata["written"], second.metadata["unchanged"], second.metadata["requests"]) == (4, 97, 1)
    assert rig.differences() == set()
    assert rig.run().metadata["requests"] == 0
    numbers = rig.sql("SELECT count(rowid_there) FROM shop.out_results")
    assert numbers == [(104,)]  # the destination's own column


@pytest.mark.parametrize("row_by_row", [True, False])
def test_rejected_rows_are_kept_with_their_reasons_until_they_are_corrected(rig: Rig, *, row_by_row: bool) -> None:
    """Row 5 is rejected by the validation; 17 and 71 by the table, alone or together with their batches."""
    rig.write("UPDATE marts.people SET points = 18446744073709551616 WHERE id = 5")
    rig.write("UPDATE marts.people SET points = -1 WHERE id IN (17, 71)")
    first = rig.run(row_by_row=row_by_row)
    assert (first.metadata["written"], first.metadata["rejected"], first.passed) == (97, 3, False)
    reasons = dict(rig.sql("SELECT key, reason FROM shop.out_results WHERE outcome = 'rejected'"))
    assert reasons.pop("[5]") == "points: must fit in 64 bits"
    assert set(reasons) == {"[17]", "[71]"}
    assert all("CHECK constraint failed" in reason for reason in reasons.values())
    assert {row[0] for row in rig.differences()} == {5, 17, 71}
    second = rig.run(row_by_row=row_by_row)
    assert (second.metadata["requests"], second.metadata["rejected"]) == (0, 3)  # not sent in vain, still rejected
    assert rig.sql(RESULTS) == [("rejected", 3), ("written", 97)]
    rig.write(
        "UPDATE marts.people SET points = 1 WHERE id IN (5, 17, 71); UPDATE marts.people SET name = '' WHERE id = 9"
    )
    third = rig.run(rejected=True)
    assert (third.metadata["written"], third.metadata["skipped"]) == (3, 97)
    assert {row[0] for row in rig.differences()} == {9}
    assert (rig.run().metadata["written"], rig.differences()) == (1, set())


def test_too_many_rejected_rows_end_the_run(rig: Rig) -> None:
    rig.write("UPDATE marts.people SET points = -1")
    assert "shop refused all of the first 10 rows. The last reason: CHECK" in rig.run().failure
    rig.write("UPDATE marts.people SET points = 18446744073709551616 WHERE id < 20")
    assert "20 rows are rejected, and max_rejected allows 10" in rig.run().failure
    key = dg.AssetCheckKey(dg.AssetKey(["shop", "out_table"]), "rejected")
    evaluation = rig.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].evaluation
    assert evaluation is not None
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)  # an alert is sent


def test_an_unsuitable_source_is_one_error_and_nothing_is_sent(rig: Rig) -> None:
    rig.write("ALTER TABLE marts.people ALTER points TYPE DATE USING NULL")
    assert "points: shop has no type for DATE; cast it in the source" in rig.run().failure
    rig.write("DROP TABLE marts.people")
    assert "the source cannot be read" in rig.run().failure
    assert rig.there("SELECT * FROM people") == []


class Clock:
    """A clock that only moves while somebody sleeps; at `until`, the lock on the table is released."""

    def __init__(self, holder: sqlite3.Connection, until: float) -> None:
        self._now, self._until, self._holder = 0.0, until, holder

    def wall(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        if self._now >= self._until and self._holder.in_transaction:
            self._holder.rollback()


def test_a_busy_table_is_waited_for_up_to_a_limit(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.file, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        clock = Clock(holder, until=1e6)
        stuck = rig.run(pace=lambda _: Pace(600, at_once=1, patience=60, clock=clock))
        assert "shop people: busy for 60 s: database is locked" in stuck.failure
        assert "100 of 100 rows are left" in stuck.failure
        assert rig.sql(RESULTS) == [("not sent", 10)]
        clock = Clock(holder, until=20)
        done = rig.run(pace=lambda _: Pace(600, at_once=1, patience=60, clock=clock))
    assert done.success, done.failure
    assert (clock.monotonic(), done.metadata["sent_again"], rig.differences()) == (20, 0, set())


def test_a_lost_answer_is_reported_if_the_client_or_the_next_run_writes_again(rig: Rig) -> None:
    done = rig.run("", "lost once")
    assert (done.metadata["written"], done.metadata["sent_again"], done.metadata["requests"]) == (100, 10, 11)
    rig.write("UPDATE marts.people SET points = points + 1000")
    lost = rig.run("", "", "lost")
    assert "the connection was cut" in lost.failure
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(10,)]
    rig.write(
        "UPDATE marts.people SET points = points - 1000"
    )  # the values that were accepted before; these rows must not count as unchanged
    rig.write("DELETE FROM marts.people WHERE id = 25")
    after = rig.run()
    assert (after.metadata["written"], after.metadata["sent_again"]) == (29, 9)
    assert {row[0] for row in rig.differences()} == {25}  # rows that left the source stay
    assert rig.sql("SELECT key FROM shop.out_results WHERE reason LIKE '%the source no longer has the row'") == [
        ("[25]",)
    ]


def test_a_destination_that_omits_a_result_is_an_error(rig: Rig) -> None:
    """It would be unknown which result belongs to which row."""
    short = rig.run("", "short")
    assert "the destination gave 9 results for 10 rows" in short.failure
    assert rig.sql(RESULTS) == [("unknown", 10), ("written", 10)]
    after = rig.run()
    assert (after.metadata["written"], after.metadata["sent_again"], rig.differences()) == (90, 10, set())


_KILLED = """
import sys
from pathlib import Path
import dagster as dg
from orgdata_dagster_tests.writeback.rig import Rig
Rig(Path(sys.argv[1]), dg.DagsterInstance.ephemeral(), rows=None).run("", "", sys.argv[2])
"""


def test_a_killed_run_is_resumed_and_rows_that_may_be_written_twice_are_reported(rig: Rig) -> None:
    """SIGKILL at the worst moment: the table has the third batch, but its answer was not recorded."""
    run = subprocess.run(
        [sys.executable, "-c", _KILLED, str(rig.file), "killed"], env=os.environ, timeout=120, check=False
    )
    assert run.returncode == -signal.SIGKILL
    assert rig.there("SELECT count(*) FROM people") == [(30,)]
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_accepted") == [(20,)]
    done = rig.run()
    assert done.success, done.failure
    assert (done.metadata["written"], done.metadata["sent_again"], rig.differences()) == (80, 10, set())
    sql = "SELECT count(*) FROM shop.out_results WHERE sent_again LIKE '%ended before the answer was recorded'"
    assert rig.sql(sql) == [(10,)]
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]
