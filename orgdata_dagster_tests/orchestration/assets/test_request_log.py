"""What a run shows of its requests: their number, and the seconds that it waited for the rate limit."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.orchestration.assets.request_log import RequestLog

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(log: RequestLog, start: float, end: float) -> None:
    """A request that waited from `start` to `end`, in seconds after noon."""
    log(RequestRecord("vendor", "/rows", "GET", NOON + timedelta(seconds=end), 1, 1, end - start))


@pytest.mark.parametrize(
    ("waits", "seconds"),
    [
        ([(0, 10), (0, 10), (0, 10), (0, 10)], 10),  # four threads in one queue: "246 s" in a run of 62 s
        ([(0, 10), (5, 12), (20, 21)], 13),
        ([(5, 6), (0, 10)], 10),  # the longer wait ends later
        ([(20, 30), (0, 5), (4, 21)], 30),
        ([(0, 10), (10, 20)], 20),
        ([(3, 3)], 0),
    ],
)
def test_seconds_in_which_several_threads_wait_count_once(waits: list[tuple[float, float]], seconds: float) -> None:
    log = RequestLog()
    for start, end in waits:
        record(log, start, end)
    assert log.waited == pytest.approx(seconds)
    assert log.count == len(waits)


def test_waiting_time_is_the_length_of_the_union() -> None:
    chance, log, covered = random.Random(1), RequestLog(), set[int]()
    for _ in range(300):
        start = chance.randrange(1000)
        end = start + chance.randrange(12)
        record(log, start, end)
        covered |= set(range(start, end))
        assert log.waited == pytest.approx(len(covered), abs=1e-3)
