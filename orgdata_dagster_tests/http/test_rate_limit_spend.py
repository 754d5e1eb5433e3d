"""How a client uses a rate limit, with a clock that only moves while somebody sleeps."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from orgdata_dagster.http.rate_limit import RateLimit, RateLimitTimeout, Rule, Window, WindowUsage
from orgdata_dagster.state import FileState
from orgdata_dagster.state.files import HeldFile
from orgdata_dagster_tests.http.fakes import FakeClock, spend
from orgdata_dagster_tests.http.servers_book import rejected
from orgdata_dagster_tests.waiting import wait_until

TWO_IN_TEN = Rule(buckets=((Window(2, 10),),))
TOGETHER = Rule(buckets=((Window(1, 60),),), in_flight=1, unknown_past="spent")
OCTOLIS = Rule(buckets=((Window(25, 1), Window(150, 60)), (Window(2000, 60),)))


def test_waits_when_the_window_is_full(rate_limit: Callable[[Rule], RateLimit], clock: FakeClock) -> None:
    assert spend(rate_limit(TWO_IN_TEN), 2) == 0
    assert spend(rate_limit(TWO_IN_TEN)) == pytest.approx(10.5)
    assert clock.slept == [pytest.approx(10.5)]


def test_an_empty_rule_stores_nothing(rate_limit: Callable[[Rule], RateLimit], tmp_path: Path) -> None:
    unbound = rate_limit(Rule())
    assert spend(unbound, 1000, 50) == 0
    assert unbound.paused() is None
    assert list(tmp_path.iterdir()) == []


def test_a_pause_is_kept_even_without_a_limit(rate_limit: Callable[[Rule], RateLimit]) -> None:
    rate_limit(Rule()).pause(30)
    assert spend(rate_limit(Rule())) == pytest.approx(30, abs=1e-5)


@pytest.mark.parametrize(("cost", "sentence"), [(151, "151 points can never be sent"), (-1, "cannot cost -1")])
def test_a_cost_that_never_fits_is_refused(rate_limit: Callable[[Rule], RateLimit], cost: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence), rate_limit(OCTOLIS).spend(cost):
        pass


def test_a_cost_above_the_first_window_is_paid_by_the_second(rate_limit: Callable[[Rule], RateLimit]) -> None:
    assert spend(rate_limit(OCTOLIS), 5, 30) == 0
    assert spend(rate_limit(OCTOLIS), 1, 30) == pytest.approx(60.05)


@pytest.mark.parametrize(
    "wrong",
    [{"buckets": ((),)}, {"in_flight": 0}, {"margin": 1.0}, {"margin": -0.1}],
)
def test_invalid_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Rule(**wrong)


def test_invalid_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Window(0, 1)


def test_first_come_first_served(tmp_path: Path) -> None:
    """Four requests wait at the same time, each until its own slot; they are sent in the order of their arrival."""
    clock, order, one = ParkingClock(), [], Rule(buckets=((Window(1, 10),),))
    went = threading.Semaphore(0)

    def wait(name: str) -> None:
        with RateLimit("vendor", one, FileState(tmp_path), clock, boot=lambda: "boot 1").spend():
            order.append(name)
            went.release()

    spend(RateLimit("vendor", one, FileState(tmp_path), clock, boot=lambda: "boot 1"))
    waiters = []
    for name in ("a", "b", "c", "d"):
        waiters.append(threading.Thread(target=wait, args=(name,)))
        waiters[-1].start()
        clock.until_parked(len(waiters))
    due = list(clock.parked)
    assert [later - sooner for sooner, later in pairwise(due)] == pytest.approx([10.5] * 3)
    for _ in waiters:
        clock.wake_the_next()
        assert went.acquire(timeout=10)
    for waiter in waiters:
        waiter.join(10)
    assert order == ["a", "b", "c", "d"]


class ParkingClock(FakeClock):
    """sleep() parks the thread until the test moves the time on to its end."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = threading.Condition()
        self.parked: list[float] = []

    def sleep(self, seconds: float) -> None:
        with self._moved:
            until = self.monotonic() + seconds
            self.parked.append(until)
            self._moved.notify_all()
            assert self._moved.wait_for(lambda: self.monotonic() >= until, timeout=20)
            self.parked.remove(until)

    def until_parked(self, count: int) -> None:
        with self._moved:
            assert self._moved.wait_for(lambda: len(self.parked) == count, timeout=20)

    def wake_the_next(self) -> None:
        with self._moved:
            super().sleep(max(0.0, min(self.parked) - self.monotonic()) + 1e-4)
            self._moved.notify_all()


def test_a_timeout_is_raised_at_once_and_frees_the_slot(
    rate_limit: Callable[[Rule], RateLimit], impatient: Callable[[Rule, float], RateLimit], clock: FakeClock
) -> None:
    spend(rate_limit(TWO_IN_TEN), 2)
    with (
        pytest.raises(RateLimitTimeout, match="'vendor' has no room") as caught,
        impatient(TWO_IN_TEN, 5).spend(),
    ):
        pass
    assert (caught.value.waited, caught.value.needed) == (0, pytest.approx(10.5))
    assert clock.slept == []
    assert spend(rate_limit(TWO_IN_TEN), 2) == pytest.approx(0)
    assert sum(clock.slept) == pytest.approx(10.5)


def test_a_sufficient_timeout(
    rate_limit: Callable[[Rule], RateLimit], impatient: Callable[[Rule, float], RateLimit]
) -> None:
    spend(rate_limit(TWO_IN_TEN), 2)
    with impatient(TWO_IN_TEN, 11).spend() as permit:
        assert permit.waited == pytest.approx(10.5)


def test_timeout_while_waiting_for_a_lease(
    rate_limit: Callable[[Rule], RateLimit], impatient: Callable[[Rule, float], RateLimit], clock: FakeClock
) -> None:
    rule = Rule(in_flight=1)
    with rate_limit(rule).spend():
        with pytest.raises(RateLimitTimeout) as caught, impatient(rule, 3).spend():
            pass
        assert caught.value.needed is None
        assert sum(clock.slept) == pytest.approx(3)
    assert spend(rate_limit(rule)) == 0


def test_leases_bound_the_threads_of_one_process(rate_limit: Callable[[Rule], RateLimit]) -> None:
    shared, together, most = rate_limit(Rule(in_flight=2)), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        for _ in range(5):
            with shared.spend():
                with lock:
                    together[0] += 1
                    most[0] = max(most[0], together[0])
                threading.Event().wait(0.002)
                with lock:
                    together[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]


def test_one_thread_of_a_process_looks_for_a_free_lease(tmp_path: Path) -> None:
    """Four runs of four threads that all looked took a tenth of the CPU time of a year of small requests."""
    state, looked = FileState(tmp_path), list[int]()
    real = state.lease

    def lease(names: Sequence[str]) -> HeldFile | None:
        looked.append(threading.get_ident())
        return real(names)

    shared = RateLimit("vendor", Rule(in_flight=1), state)
    got = list[int]()

    def work() -> None:
        with shared.spend():
            got.append(threading.get_ident())

    threads = [threading.Thread(target=work) for _ in range(4)]
    with RateLimit("vendor", Rule(in_flight=1), FileState(tmp_path)).spend():
        state.lease = lease  # type: ignore[method-assign]
        threads[0].start()
        wait_until(lambda: len(looked) > 2, "the first thread to look again")
        for thread in threads[1:]:
            thread.start()
        before = len(looked)
        wait_until(lambda: len(looked) > before + 2, "further looks")
        assert {*looked} == {threads[0].ident}
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(thread.ident or 0 for thread in threads)


def test_an_error_in_the_block_keeps_the_payment_and_ends_the_lease(rate_limit: Callable[[Rule], RateLimit]) -> None:
    rule = Rule(buckets=TWO_IN_TEN.buckets, in_flight=1)
    for _ in range(2):
        with pytest.raises(OSError, match="down"), rate_limit(rule).spend():
            raise OSError("down")
    assert spend(rate_limit(rule)) == pytest.approx(10.5)


def test_a_pause_holds_all_requests_and_is_never_shortened(rate_limit: Callable[[Rule], RateLimit]) -> None:
    rate_limit(TWO_IN_TEN).pause(100)
    rate_limit(TWO_IN_TEN).pause(5)
    rate_limit(TWO_IN_TEN).pause(-5)
    pause = rate_limit(TWO_IN_TEN).paused()
    assert pause is not None
    assert pause.seconds == pytest.approx(100, abs=1e-5)
    assert spend(rate_limit(TWO_IN_TEN)) == pytest.approx(100, abs=1e-5)
    assert rate_limit(TWO_IN_TEN).paused() is None


def test_a_slot_within_a_pause_moves_to_its_end(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(rate_limit(TWO_IN_TEN), 2)
    during_the_first_sleep(clock, monkeypatch, lambda: rate_limit(TWO_IN_TEN).pause(60))
    assert spend(rate_limit(TWO_IN_TEN)) == pytest.approx(60, abs=1e-5)


def test_oversleeping_updates_the_time_of_the_payment(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Rule(buckets=((Window(1, 10),),))
    spend(rate_limit(one))
    during_the_first_sleep(clock, monkeypatch, lambda: FakeClock.sleep(clock, 4))
    assert spend(rate_limit(one)) == pytest.approx(14.5)
    assert spend(rate_limit(one)) == pytest.approx(10.5 - one.grace)


def during_the_first_sleep(clock: FakeClock, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    def sleep(seconds: float) -> None:
        monkeypatch.undo()
        happens()
        clock.sleep(seconds)

    monkeypatch.setattr(clock, "sleep", sleep)


def test_a_slightly_late_wake_up_loses_no_time(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Rule(buckets=((Window(1, 10),),))
    spend(rate_limit(one))
    during_the_first_sleep(clock, monkeypatch, lambda: FakeClock.sleep(clock, 0.15))
    assert spend(rate_limit(one)) == pytest.approx(10.65)
    assert spend(rate_limit(one)) == pytest.approx(10.35)


def test_the_second_window_is_used_only_after_the_first_was_really_used(
    rate_limit: Callable[[Rule], RateLimit],
) -> None:
    """A connecting request may never arrive; the vendor would then count the next one in the first window."""
    with rate_limit(OCTOLIS).spend(25) as connecting:
        assert spend(rate_limit(OCTOLIS), 1, 10) == pytest.approx(1.05, abs=0.01)
        assert [usage.spent for usage in rate_limit(OCTOLIS).usage()] == [10, 0, 35]
        connecting.sent()
    assert [usage.spent for usage in rate_limit(OCTOLIS).usage()] == [10, 25, 35]


def test_old_payments_are_merged_without_breaking_the_limit(
    rate_limit: Callable[[Rule], RateLimit], clock: FakeClock, tmp_path: Path
) -> None:
    """Hundreds of rows become a few dozen; the usage figures stay correct, and the vendor still rejects nothing."""
    octolis, chance, arrivals = rate_limit(OCTOLIS), random.Random(7), []
    for _ in range(900):
        cost = chance.choice([1, 1, 1, 1, 10])
        with octolis.spend(cost) as permit:
            permit.sent()
            arrivals.append((clock.monotonic(), cost))
        clock.sleep(chance.choice([0, 0, 0, 0.01, 0.4]))
    assert clock.monotonic() - arrivals[0][0] > 63
    assert rejected(OCTOLIS, arrivals) == []
    last_minute = sum(cost for at, cost in arrivals if at > clock.monotonic() - 60)
    assert octolis.usage()[2].spent == pytest.approx(last_minute, rel=0.01)
    with sqlite3.connect(tmp_path / "rate_limits" / "vendor.sqlite") as connection:
        rows = connection.execute("SELECT count(*) FROM payment").fetchone()[0]
    connection.close()
    assert rows < 500


def test_usage(rate_limit: Callable[[Rule], RateLimit], clock: FakeClock) -> None:
    octolis = rate_limit(OCTOLIS)
    assert [usage.spent for usage in octolis.usage()] == [0, 0, 0]
    spend(octolis, 4, 10)
    first, second, account = octolis.usage()
    assert first == WindowUsage(Window(25, 1), 20, 25)
    assert (second.spent, account.spent) == (20, 40)
    clock.sleep(2)
    assert [usage.spent for usage in octolis.usage()] == [0, 20, 40]
