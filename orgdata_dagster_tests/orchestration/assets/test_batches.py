"""Batches end by number, by weight or by time, whichever comes first. Every item is in exactly one batch."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from orgdata_dagster.orchestration.assets.batches import Batches


@given(
    size=st.integers(1, 5),
    longest=st.sampled_from([0.0, 3.0]),
    steps=st.lists(st.sampled_from([0.0, 1.0, 2.0, 4.0]), max_size=20),
)
def test_a_batch_ends_by_number_or_by_time(size: int, longest: float, steps: list[float]) -> None:
    now = [0.0]
    batches = Batches[int](size, 1_000, longest, lambda: now[0])
    waiting: list[int] = []
    last = 0.0
    for item, step in enumerate(steps):
        now[0] += step
        waiting.append(item)
        due = len(waiting) >= size or now[0] - last >= longest
        assert batches.add(item) == (waiting if due else [])
        if due:
            waiting, last = [], now[0]
    assert batches.rest() == waiting
    assert batches.rest() == []


def test_a_batch_ends_by_weight() -> None:
    batches = Batches[str](100, 10, 60.0, lambda: 0.0)
    assert [batches.add(name, weight) for name, weight in (("a", 4), ("b", 5), ("c", 1), ("d", 9), ("e", 9))] == [
        [],
        [],
        ["a", "b", "c"],
        [],
        ["d", "e"],
    ]


def test_an_incomplete_batch_is_overdue_after_a_while() -> None:
    """Pulled days were once not committed while the pull waited for its rate limit."""
    now = [0.0]
    batches = Batches[str](100, 1_000, 3.0, lambda: now[0])
    assert (batches.add("a"), batches.overdue()) == ([], [])
    now[0] = 3.0
    assert (batches.overdue(), batches.overdue(), batches.rest()) == (["a"], [], [])


def test_each_item_of_any_thread_is_in_one_batch() -> None:
    batches = Batches[int](7, 1_000)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(batches.add, range(500)))
    assert {len(batch) for batch in made} == {0, 7}
    assert sorted(item for batch in [*made, batches.rest()] for item in batch) == list(range(500))
