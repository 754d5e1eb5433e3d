from orgdata_dagster.sandbox.log import Entry, SandboxLog, busiest, most_at_once


def entry(arrived: float, finished: float | None = None, cost: int = 1, vendor: str = "v") -> Entry:
    return Entry(
        request_id="1", vendor=vendor, endpoint="/", method="GET", query={},
        arrived=arrived, finished=finished, cost=cost, status=200,
    )  # fmt: skip


def test_busiest_is_the_most_costly_window_wherever_it_begins() -> None:
    entries = [entry(0, cost=5), entry(59, cost=10), entry(60, cost=7), entry(118, cost=1), entry(119, cost=2)]
    assert busiest(entries, 60) == 10 + 7 + 1  # exactly 60 s apart, two requests are in no window together
    assert busiest(entries, 0.5) == 10
    assert busiest([], 60) == 0


def test_most_at_once_counts_overlaps_and_those_that_never_ended() -> None:
    assert most_at_once([entry(0, 1), entry(1, 2), entry(2, 3)]) == 1
    assert most_at_once([entry(0, 2), entry(1, 3), entry(2.5, 4), entry(0.5)]) == 3


def test_the_log_keeps_the_last_requests_of_each_vendor() -> None:
    log = SandboxLog(keep=3)
    for number in range(5):
        log.add(entry(number, vendor="odd" if number % 2 else "even"))
    assert [e.arrived for e in log.entries()] == [2, 3, 4]
    assert [e.arrived for e in log.entries("even")] == [2, 4]
    assert log.entries(statuses=[429]) == []
    log.clear()
    assert log.as_json() == []
