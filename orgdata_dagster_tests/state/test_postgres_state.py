"""What the store in PostgreSQL guarantees in addition: lost connections, stale processes, passwords, addresses."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.http.redaction import redact
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.state import FileState, StateUnavailable, StillHeld, Transaction
from orgdata_dagster_tests.postgres import PASSWORD, Server
from orgdata_dagster_tests.state.conftest import BEAT, GRACE, PATIENCE, Processes
from orgdata_dagster_tests.stopping import stopped
from orgdata_dagster_tests.waiting import wait_until

RULE = Rule(buckets=((Window(3, 60),),))


@pytest.fixture
def database(postgres: Server) -> str:
    return postgres.new_database()


def opened(postgres: Server, database: str, **options: float):  # type: ignore[no-untyped-def]
    from orgdata_dagster.state.postgres import PostgresState

    wanted = {"beat": BEAT, "grace": GRACE, "patience": PATIENCE, **options}
    return PostgresState(postgres.url(database), **wanted)


def hang_up(postgres: Server, database: str) -> None:
    """End all sessions, as a server does that restarts."""
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


def test_a_lost_connection_loses_nothing(postgres: Server, database: str, caplog: pytest.LogCaptureFixture) -> None:
    one, other = opened(postgres, database), opened(postgres, database)
    rate_limit = RateLimit("vendor", RULE, one)
    with one.lock("syncs/one"):
        for _ in range(3):
            with rate_limit.spend():
                hang_up(postgres, database)
        with pytest.raises(StillHeld), other.lock("syncs/one", patience=3 * GRACE):
            pass
        with pytest.raises(TimeoutError), RateLimit("vendor", RULE, one, patience=1).spend():
            pass
    assert rate_limit.usage()[0].spent == 3
    message = [record.getMessage() for record in caplog.records if record.name == "orgdata"]
    assert message
    assert all("Waiting for the shared state at 127.0.0.1:" in line and PASSWORD not in line for line in message)


def test_a_database_that_was_made_without_a_locale(postgres: Server) -> None:
    """Its texts used to be bytes in Python: a lock was never released, and its own process waited for it for ever."""
    database = f"{postgres.new_database()}_ascii"
    postgres.sql(f"CREATE DATABASE {database} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    state = opened(postgres, database)
    for _ in range(2):
        with state.lock("instance", patience=0):
            pass
    assert state.notes("pauses").add("vendor", "für immer")
    assert state.notes("pauses").read("vendor") == "für immer"


def test_a_process_that_was_declared_dead_sends_no_more_requests(postgres: Server, database: str) -> None:
    """A machine that was disconnected comes back after another one has taken over its work."""
    zombie, other = opened(postgres, database, beat=3600), opened(postgres, database)
    rate_limit = RateLimit("vendor", RULE, zombie)
    claim = zombie.claim("runs/one")
    assert claim is not None
    hang_up(postgres, database)
    wait_until(lambda: other.revoke("runs/one"))
    for _ in range(2):
        with (
            pytest.raises(StateUnavailable, match=r"considered dead, and runs/one was given to other"),
            rate_limit.spend(),
        ):
            raise AssertionError("a zombie sends")
    claim.release()
    with rate_limit.spend():
        pass


def test_after_an_outage_of_the_server_nobody_is_dead_at_once(postgres: Server, database: str) -> None:
    """The process that reconnected first used to find that all others were silent and had no session."""
    working, first = opened(postgres, database, beat=3600), opened(postgres, database)
    assert working.claim("runs/one") is not None
    assert first.holder("runs/one") is not None
    time.sleep(1.5 * GRACE)
    hang_up(postgres, database)
    found = first.holder("runs/one")
    assert found is not None
    assert found.alive
    assert not first.revoke("runs/one")
    wait_until(lambda: first.revoke("runs/one"), "the end of a process that did not come back")


def test_a_process_that_was_suspended_for_a_while_counts_as_alive(postgres: Server, database: str) -> None:
    frozen, other = opened(postgres, database, beat=3600), opened(postgres, database)
    assert frozen.claim("runs/one") is not None
    time.sleep(2 * GRACE)
    found = other.holder("runs/one")
    assert found is not None
    assert found.alive
    assert not other.revoke("runs/one")


def test_a_new_process_knows_who_is_dead_if_another_one_was_connected_all_the_time(
    postgres: Server, database: str, start: Processes
) -> None:
    """`orgdata status` used to show the run of a killed machine as running for a minute."""
    watching = opened(postgres, database)
    assert watching.holder("runs/one") is None
    dying = start(claim_for_ever, postgres.url(database))
    wait_until(lambda: watching.holder("runs/one"))
    start.kill(dying)
    wait_until(lambda: (found := watching.holder("runs/one")) and not found.alive)
    found = opened(postgres, database, grace=0.3, patience=3600).holder("runs/one")
    assert found is not None
    assert not found.alive


def claim_for_ever(url: str) -> None:
    from orgdata_dagster.state.postgres import PostgresState

    claimed = PostgresState(url, beat=BEAT).claim("runs/one")
    while claimed:
        time.sleep(1)


def test_a_lock_whose_row_was_removed_can_be_taken_again(postgres: Server, database: str) -> None:
    """Rows that were not used for a week are removed. A process that knew them used to wait for ever."""
    state = opened(postgres, database)
    for held in (state.lease(["one", "two"]), state.claim("runs/one")):
        assert held is not None
        held.release()
    postgres.sql("DELETE FROM orgdata_state.lock", database)
    wait_until(lambda: state.lease(["one", "two"]))


def test_any_number_of_old_processes_can_be_removed(postgres: Server, database: str) -> None:
    """Each of them is probed with a lock. After a week without a run, the server used to run out of locks for ever."""
    opened(postgres, database).describe()
    insert = "INSERT INTO orgdata_state.process SELECT n, 'a:1:1', now() - interval '8 days' FROM generate_series"
    postgres.sql(f"{insert}(1, 60000) AS n", database)
    with opened(postgres, database).lock("one"):
        pass
    assert postgres.sql("SELECT count(*) FROM orgdata_state.process WHERE identity = 'a:1:1'", database) == [["59800"]]


def test_a_reservation_sees_all_earlier_ones_whatever_the_database_is_set_to(postgres: Server, database: str) -> None:
    """With `repeatable read`, it would see those from before it had to wait for its turn."""
    postgres.sql(f"ALTER DATABASE {database} SET default_transaction_isolation = 'repeatable read'")
    mine, others = (opened(postgres, database).tables("t", "CREATE TABLE IF NOT EXISTS t (id {id});") for _ in range(2))
    insert, turn = "INSERT INTO t VALUES (:id)", threading.Event()

    def take_long(transaction: Transaction) -> None:
        transaction.insert(insert, {})
        turn.set()
        time.sleep(0.3)

    mine.run(lambda _: None)
    writing = threading.Thread(target=lambda: others.run(take_long))
    writing.start()
    turn.wait(10)
    assert len(mine.run(lambda transaction: transaction.first[0], ["SELECT id FROM t"])) == 1
    writing.join()


def test_a_replica_is_refused(postgres: Server, database: str) -> None:
    postgres.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(StateUnavailable, match="session is read-only"):
        opened(postgres, database, patience=0.3).describe()


@pytest.mark.parametrize("port", [1])
def test_without_a_server_no_request_is_sent(port: int) -> None:
    from orgdata_dagster.state.postgres import PostgresState

    state = PostgresState(f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/lost", patience=0.6)
    with pytest.raises(StateUnavailable) as caught, RateLimit("vendor", RULE, state).spend():
        raise AssertionError("sent without a reservation")
    assert str(caught.value) == (
        f"The shared state at 127.0.0.1:{port}/lost does not answer: Connection refused. No request is sent without "
        "it. Start the server or check ORGDATA_STATE, then try again."
    )


@pytest.mark.usefixtures("goes_on")
def test_a_wait_for_the_server_ends_when_the_process_is_asked_to_stop() -> None:
    pytest.importorskip("psycopg")
    from orgdata_dagster.state.postgres import PostgresState

    state = PostgresState("postgresql://me@127.0.0.1:1/lost", patience=60)
    assert stopped(lambda: state.holder("x"), grace=0.1) < 3


def test_a_server_that_does_not_answer_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a project asks several times; each used to wait for ten seconds."""
    psycopg = pytest.importorskip("psycopg")
    from orgdata_dagster.state.postgres import PostgresState

    attempts, real = list[object](), psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda *args, **named: attempts.append(args) or real(*args, **named))
    state = PostgresState("postgresql://me@127.0.0.1:1/lost", patience=0.6)
    for expected in (2, 1, 1):
        attempts.clear()
        with pytest.raises(StateUnavailable):
            state.notes("first_days").read("together")
        assert min(len(attempts), 2) == expected


def test_a_refused_login_is_reported_at_once(postgres: Server, database: str) -> None:
    from orgdata_dagster.state.postgres import PostgresState

    for uri, reason in (
        (postgres.url(database).replace(PASSWORD, "wrong-password"), "password authentication failed"),
        (postgres.url("not_there"), 'database "not_there" does not exist'),
    ):
        began = time.monotonic()
        with pytest.raises(StateUnavailable, match=reason) as caught:
            PostgresState(uri).describe()
        assert time.monotonic() - began < 5
        assert "wrong-password" not in str(caught.value)
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        f"postgresql://me:{PASSWORD}%@host/x",
        f"mysql://me:{PASSWORD}@host/x",
        f"postgresql://{PASSWORD}:x:y@[h/x",
        f"postgresql://me:{PASSWORD}/z@host/x",
        f"postgresql://me:1/{PASSWORD}@host/x?sslmode=require",
        f"postgresql://me:{PASSWORD}",
    ],
)
def test_an_invalid_address_is_reported_without_its_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGDATA_STATE", value)
    with pytest.raises((StateUnavailable, settings.SettingsError), match="ORGDATA_STATE is not") as caught:
        shared_state()
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_password_is_redacted_everywhere(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORGDATA_STATE", postgres.url(database))
    monkeypatch.setenv("ORGDATA_HOME", str(tmp_path))
    state = shared_state()
    assert PASSWORD not in repr(state)
    assert PASSWORD not in redact(f"a library quotes {postgres.url(database)}")
    assert shared_state() is state
    monkeypatch.setenv("PGSERVICE", "lake")
    monkeypatch.setenv("ORGDATA_STATE", "postgresql://?service=state")
    assert repr(shared_state()) == "PostgresState(the service state)"
    monkeypatch.setenv("ORGDATA_STATE", "postgresql://me:odd#pass?word@127.0.0.1:1/x")
    assert repr(shared_state()) == "PostgresState(127.0.0.1:1/x)"
    assert redact("it is odd#pass?word") == "it is [redacted]"


def test_the_default_is_files_and_does_not_import_psycopg(tmp_path: Path) -> None:
    code = (
        "import sys; from orgdata_dagster.orchestration.shared_state import shared_state\n"
        "import orgdata_dagster.project.build, orgdata_dagster.cli.pull\n"
        "assert type(shared_state()).__name__ == 'FileState'\n"
        "print([name for name in sys.modules if name.startswith(('psycopg', 'dagster_postgres', "
        "'orgdata_dagster.state.postgres'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env={"ORGDATA_HOME": str(tmp_path)}
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_without_psycopg_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith(("psycopg", "orgdata_dagster.state.postgres"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("ORGDATA_STATE", "postgresql://me@host/x")
    monkeypatch.setenv("ORGDATA_HOME", str(tmp_path))
    with pytest.raises(StateUnavailable, match=r"pip install 'orgdata\[postgres\]'"):
        shared_state()
    monkeypatch.delenv("ORGDATA_STATE")
    assert isinstance(shared_state(), FileState)


def first_use(url: str) -> None:
    from orgdata_dagster.state.postgres import PostgresState

    with RateLimit("vendor", RULE, PostgresState(url)).spend(0.375):
        pass


def test_two_machines_may_start_at_once_on_an_empty_database(postgres: Server, database: str, start: Processes) -> None:
    processes = [start(first_use, postgres.url(database)) for _ in range(8)]
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 8
    assert RateLimit("vendor", RULE, opened(postgres, database)).usage()[0].spent == 3


def test_threads_share_the_connection(postgres: Server, database: str) -> None:
    state, errors = opened(postgres, database), list[BaseException]()
    rate_limit = RateLimit("vendor", Rule(buckets=((Window(1e9, 1),),), in_flight=4), state)

    def work() -> None:
        try:
            for _ in range(10):
                with rate_limit.spend():
                    pass
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    sessions = postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")
    assert sessions == [["1"]]
