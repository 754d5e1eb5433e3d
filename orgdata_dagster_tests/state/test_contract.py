"""The behaviour that every store of shared state guarantees, in real processes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from orgdata_dagster.state import State, StillHeld, Transaction, stopping
from orgdata_dagster.state.processes import identity
from orgdata_dagster_tests.state.conftest import Processes, Store
from orgdata_dagster_tests.stopping import stopped
from orgdata_dagster_tests.waiting import text_of, wait_until

COUNTER = "CREATE TABLE IF NOT EXISTS counter (id {id}, n INTEGER NOT NULL);"


def hold_lock(store: Store, ready: Path) -> None:
    with store().lock("syncs/one"):
        ready.write_text(identity())
        time.sleep(60)


def hold_claim(store: Store, ready: Path) -> None:
    held = store().claim("runs/one")
    assert held is not None
    ready.write_text(identity())
    time.sleep(60)


def hold_lease(store: Store, ready: Path) -> None:
    held = store().lease(["limit.0", "limit.1"])
    assert held is not None
    ready.write_text(identity())
    time.sleep(60)


def test_a_lock_has_one_holder(store: Store) -> None:
    first, second, order = store(), store(), list[str]()
    with first.lock("x"):
        with pytest.raises(StillHeld), second.lock("x", patience=0):
            pass
        with second.lock("y", patience=0):
            pass
        waiter = threading.Thread(target=lambda: [order.append("got") for _ in [0] if _enter(second)])
        waiter.start()
        time.sleep(0.1)
        order.append("released")
    waiter.join(10)
    assert order == ["released", "got"]
    with first.lock("x", patience=0):
        pass


@pytest.mark.usefixtures("goes_on")
def test_a_wait_for_a_lock_ends_when_the_process_is_asked_to_stop(store: Store) -> None:
    first, second = store(), store()
    with first.lock("x"):
        assert stopped(lambda: _enter(second), grace=0.2) < 5  # a second on a machine that is not busy
    stopping.resume()
    with first.lock("x", patience=5):
        pass


def _enter(state: object) -> bool:
    with state.lock("x"):  # type: ignore[attr-defined]
        return True


def test_threads_of_a_process_exclude_each_other(store: Store) -> None:
    state = store()
    with state.lock("x"), pytest.raises(StillHeld), state.lock("x", patience=0):
        pass
    one = state.lease(["a", "b"])
    other = state.lease(["a", "b"])
    assert one is not None
    assert other is not None
    assert state.lease(["a", "b"]) is None
    other.release()
    other.release()
    again = state.lease(["a", "b"])
    assert again is not None
    assert state.lease(["a", "b"]) is None


def test_a_killed_process_holds_no_locks(store: Store, start: Processes, tmp_path: Path) -> None:
    holders = [start(work, store, tmp_path / work.__name__) for work in (hold_lock, hold_lease)]
    for work in (hold_lock, hold_lease):
        text_of(tmp_path / work.__name__)
    state = store()
    with pytest.raises(StillHeld), state.lock("syncs/one", patience=2 * store.grace):
        pass
    taken = state.lease(["limit.0", "limit.1"])
    assert taken is not None
    assert state.lease(["limit.0", "limit.1"]) is None
    for holder in holders:
        start.kill(holder)
    with state.lock("syncs/one", patience=20):
        pass
    wait_until(lambda: state.lease(["limit.0", "limit.1"]), "the end of the lease", seconds=20)


def test_whether_the_holder_of_a_claim_lives_is_known(store: Store, start: Processes, tmp_path: Path) -> None:
    state = store()
    assert state.holder("runs/one") is None
    process = start(hold_claim, store, tmp_path / "ready")
    name = text_of(tmp_path / "ready")
    time.sleep(2 * store.grace)
    found = state.holder("runs/one")
    assert found is not None
    assert (found.process, found.alive) == (name, True)
    assert abs(found.since.timestamp() - time.time()) < 30
    assert state.claim("runs/one") is None
    assert not state.revoke("runs/one")
    start.kill(process)
    wait_until(lambda: not _holder_lives(state), "its death", seconds=20)
    found = state.holder("runs/one")
    assert found is not None
    assert found.process == name
    assert state.revoke("runs/one")
    state.forget("runs/one")
    assert state.holder("runs/one") is None


def _holder_lives(state: State) -> bool:
    found = state.holder("runs/one")
    return found is not None and found.alive


def test_a_released_claim_is_deleted(store: Store) -> None:
    state = store()
    held = state.claim("runs/one")
    assert held is not None
    held.release()
    assert state.holder("runs/one") is None
    assert state.claim("runs/one") is not None


def claim_in_child(state: object, done: Path) -> None:
    taken = state.claim("runs/one")  # type: ignore[attr-defined]
    done.write_text("taken" if taken else "not taken")


def test_a_child_inherits_no_locks(store: Store, start: Processes, tmp_path: Path) -> None:
    state = store()
    held = state.claim("runs/one")
    assert held is not None
    start(claim_in_child, state, tmp_path / "done").join(10)
    assert text_of(tmp_path / "done") == "not taken"
    found = state.holder("runs/one")
    assert found is not None
    assert found.alive
    held.release()
    start(claim_in_child, state, tmp_path / "again").join(10)
    assert text_of(tmp_path / "again") == "taken"


def add_note(store: Store, go: Path, into: Path) -> None:
    notes = store().notes("alerts")
    text_of(go)
    into.write_text(str(notes.add("2026-11-27 octolis/users slack", "text")))


def test_only_one_of_many_processes_adds_a_note(store: Store, start: Processes, tmp_path: Path) -> None:
    processes = [start(add_note, store, tmp_path / "go", tmp_path / str(number)) for number in range(4)]
    (tmp_path / "go").write_text("now")
    for process in processes:
        process.join(20)
    assert sorted((tmp_path / str(number)).read_text() for number in range(4)) == ["False", "False", "False", "True"]
    notes = store().notes("alerts")
    assert notes.read("2026-11-27 octolis/users slack") == "text"
    assert store().notes("others").read("2026-11-27 octolis/users slack") is None
    notes.remove("not there")
    notes.remove("2026-11-27 octolis/users slack")
    assert notes.read("2026-11-27 octolis/users slack") is None
    assert notes.add("2026-11-27 octolis/users slack")


def count(store: Store, times: int) -> None:
    tables = store().tables("rate_limits/counter", COUNTER)
    for _ in range(times):
        tables.run(_count_on)


def _count_on(transaction: Transaction) -> int:
    row = transaction.execute("SELECT max(n) FROM counter WHERE n > :least", {"least": 0}).fetchone()
    return transaction.insert("INSERT INTO counter (id, n) VALUES (:id, :n)", {"n": (row[0] or 0) + 1})


def test_transactions_are_serial(store: Store, start: Processes) -> None:
    assert not store().tables("rate_limits/counter", COUNTER).exists()
    for process in [start(count, store, 25) for _ in range(4)]:
        process.join(30)
    tables = store().tables("rate_limits/counter", COUNTER)
    assert tables.exists()
    assert tables.run(_all) == list(range(1, 101))


def _all(transaction: Transaction) -> list[int]:
    return [row[0] for row in transaction.execute("SELECT n FROM counter ORDER BY n")]


def test_a_failed_transaction_changes_nothing(store: Store) -> None:
    tables = store().tables("rate_limits/counter", COUNTER)

    def fail(transaction: Transaction) -> None:
        _count_on(transaction)
        raise KeyError("x")

    assert tables.run(_count_on) == 1
    with pytest.raises(KeyError):
        tables.run(fail)
    assert tables.run(_all) == [1]
    assert tables.run(_count_on) > 1


def test_long_names_stay_distinct(store: Store) -> None:
    names = ["rate_limits/" + "a" * 60 + end for end in ("x", "y")]
    store().tables(names[0], COUNTER).run(_count_on)
    assert not store().tables(names[1], COUNTER).exists()
