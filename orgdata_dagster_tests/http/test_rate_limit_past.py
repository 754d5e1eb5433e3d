"""What a rate limit remembers of earlier requests, and what it does if its state is lost or the clock jumps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.http.fakes import FakeClock

CAREFUL = Rule(buckets=((Window(1, 60),),), in_flight=1, unknown_past="spent")
TRUSTING = Rule(buckets=((Window(1, 60),),))


class Machine:
    """One folder and its clocks. Opening another rate limit in it simulates a restart of the program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "rate_limits"
        self.clock = FakeClock()
        self.boot = "boot 1"

    def waited(self, rule: Rule, cost: float = 1) -> float:
        rate_limit = RateLimit("vendor", rule, FileState(self.folder.parent), self.clock, boot=lambda: self.boot)
        with rate_limit.spend(cost) as permit:
            permit.sent()
        return permit.waited

    def reboot(self, wall_passes: float) -> None:
        self.clock = FakeClock(wall=self.clock.wall() + wall_passes, monotonic=5.0)
        self.boot = "boot 2"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("rule", "waits"), [(TRUSTING, 0), (CAREFUL, 63)])
def test_without_a_state_the_first_request_waits_by_the_rule(machine: Machine, rule: Rule, waits: float) -> None:
    assert machine.waited(rule) == pytest.approx(waits)


@pytest.mark.parametrize("rule", [TRUSTING, CAREFUL])
def test_the_state_survives_a_restart(machine: Machine, rule: Rule) -> None:
    machine.waited(rule)
    machine.clock.sleep(20)
    assert machine.waited(rule) == pytest.approx(43)
    machine.clock.sleep(1000)
    assert machine.waited(rule) == 0


@pytest.mark.parametrize(("rule", "waits"), [(TRUSTING, 0), (CAREFUL, 63)])
@pytest.mark.parametrize("broken", [b"", b"this is no database, and long enough to look at" * 100])
def test_a_broken_store_is_moved_aside(machine: Machine, rule: Rule, waits: float, broken: bytes) -> None:
    machine.waited(rule)
    for file in machine.folder.glob("vendor.sqlite*"):
        file.unlink()
    (machine.folder / "vendor.sqlite").write_bytes(broken)
    assert machine.waited(rule) == pytest.approx(waits)
    assert (machine.folder / "vendor.corrupt").exists() == bool(broken)


def test_a_partly_broken_store_is_moved_aside(machine: Machine) -> None:
    machine.waited(TRUSTING)
    path = machine.folder / "vendor.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20000)
    assert machine.waited(TRUSTING) == 0
    assert (machine.folder / "vendor.corrupt").exists()


def test_a_deleted_store_is_created_again(machine: Machine) -> None:
    """The open connection still sees the deleted file; a new process would not see payments that are written to it."""
    rate_limit = RateLimit("vendor", TRUSTING, FileState(machine.folder.parent), machine.clock, boot=lambda: "boot 1")
    for _ in range(2):
        with rate_limit.spend() as permit:
            for file in machine.folder.glob("vendor.sqlite*"):
                file.unlink()
        assert permit.waited == 0
    with rate_limit.spend():
        pass
    assert machine.waited(TRUSTING) == pytest.approx(63)


@pytest.mark.parametrize(("rule", "waits"), [(TRUSTING, 43), (CAREFUL, 63)])
def test_a_reboot(machine: Machine, rule: Rule, waits: float) -> None:
    machine.waited(rule)
    machine.reboot(wall_passes=20)
    assert machine.waited(rule) == pytest.approx(waits)


@pytest.mark.parametrize("rule", [TRUSTING, CAREFUL])
def test_a_reboot_with_the_wall_clock_behind_never_goes_backwards(machine: Machine, rule: Rule) -> None:
    machine.waited(rule)
    machine.reboot(wall_passes=-100_000)
    assert machine.waited(rule) == pytest.approx(63)


@pytest.mark.parametrize(("rule", "waits"), [(TRUSTING, 43), (CAREFUL, 63)])
def test_the_wall_clock_is_set_back(machine: Machine, rule: Rule, waits: float) -> None:
    machine.waited(rule)
    machine.clock.sleep(20)
    machine.clock.jump(-86_400)
    assert machine.waited(rule) == pytest.approx(waits)
    assert machine.waited(rule) == pytest.approx(63)


@pytest.mark.parametrize("rule", [TRUSTING, CAREFUL])
def test_the_wall_clock_is_set_forward(machine: Machine, rule: Rule) -> None:
    machine.waited(rule)
    machine.clock.sleep(20)
    machine.clock.jump(86_400)
    assert machine.waited(rule) == pytest.approx(43)


def test_a_careful_rule_with_two_windows_waits_for_the_first_window_only(machine: Machine) -> None:
    """It is unknown which window the vendor would count, so even the second one may not be used at once."""
    rule = Rule(buckets=((Window(5, 1), Window(10, 60)),), unknown_past="spent")
    assert machine.waited(rule) == pytest.approx(1.05)


def test_changed_windows_count_old_payments_in_every_window(machine: Machine) -> None:
    machine.waited(TRUSTING)
    tighter = Rule(buckets=((Window(1, 10), Window(1, 30)), (Window(5, 30),)))
    assert machine.waited(tighter) == pytest.approx(10.5)
    wider = Rule(buckets=((Window(100, 10),),))
    assert machine.waited(wider) == 0


def test_old_payments_are_deleted(machine: Machine) -> None:
    for _ in range(50):
        machine.waited(TRUSTING)
    with sqlite3.connect(machine.folder / "vendor.sqlite") as connection:
        rows = connection.execute("SELECT count(*) FROM payment").fetchone()[0]
    connection.close()
    assert rows <= 25
