"""Vendors whose filter is not in UTC, and answers to "what changed" that leave out known rows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.sandbox.faults import Empty
from orgdata_dagster.sandbox.tracker.rows import Item, Rows, text
from orgdata_dagster.vendors.rest.shifts import Seen, row_outside
from orgdata_dagster_tests.vendors.rest.rig import Rig
from orgdata_dagster_tests.vendors.rest.shapes import ISSUES, LINKS, TICKETS

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)
NEVER = "0001-01-01T00:00:00.000Z"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("lowest", "highest", "is_odd"),
    [
        (0, 23.9, False),
        (-1, 22.5, True),
        (-1, 23.5, False),  # rounded down: what is as far inside at the other end came
        (-24, 3, False),  # farther than any time zone: the whole day before
        (1.5, 25, True),
        (0.5, 25, False),
        (-5, 29, False),  # both sides
        (0, 24, False),
        (0.01, 24, True),
        (-3, -1, True),
        (25, 26, True),
    ],
)
def test_rows_outside_one_end_and_none_inside_the_other(lowest: float, highest: float, is_odd: bool) -> None:
    assert (row_outside(START, END, Seen(at(lowest)), Seen(at(highest)), timedelta(0)) is not None) is is_odd


@pytest.mark.parametrize("hours", [5, -8, 0.5])
def test_days_in_another_zone_lose_no_row(rig: Rig, hours: float) -> None:
    """Of the rows near midnight some were in no day's answer, and others were left out as those of another day."""
    rig.vendor.lists["issues"].shift = timedelta(hours=hours)
    assert rig.pull(ISSUES, "projects", "issues").success
    table, truth = rig.table("issues"), rig.truth("issues")
    assert table == truth or any(rig.coverage("issues"))
    assert rig.pull(ISSUES, "issues").success
    assert rig.table("issues") == truth
    assert set(rig.coverage("issues")) == {None}


def test_days_that_landed_before_it_was_found_are_pulled_again(rig: Rig) -> None:
    issues = rig.vendor.lists["issues"]
    for row in issues.all():
        issues.delete(row["id"])
    assert rig.pull(ISSUES, "projects", "issues").success
    issues.shift = timedelta(hours=5)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    late = issues.insert(title="late", project=1, points=1)
    early = issues.insert(title="early", project=1, points=1)
    for number, instant in ((late, midnight - timedelta(hours=25)), (early, midnight - timedelta(hours=26))):
        issues.touch(number, instant)
    for _ in range(2):
        assert rig.pull(ISSUES, "issues").success
    assert rig.table("issues") == rig.truth("issues")
    assert set(rig.coverage("issues")) == {None}


class Touched(Rows):
    """Rows of which one changes whenever exactly its time is requested, just before the answer."""

    touched = 0

    def between(self, start: datetime | None = None, end: datetime | None = None) -> list[Item]:
        if start and end and end - start < timedelta(seconds=10):
            self.touch(self.touched)
        return super().between(start, end)


def is_shifted(rig: Rig) -> list[tuple[str, ...]]:
    return rig.sql("SELECT value FROM _orgdata.state WHERE key = 'filter_is_shifted'")


def test_a_row_that_changes_in_between_does_not_show_a_shifted_filter(rig: Rig) -> None:
    """One request without the row was once enough, and every day was requested three days wide from then on."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    just_after = midnight - timedelta(days=1) + timedelta(milliseconds=500)
    row = {"id": 1, "project": 1, "title": "x", "points": 1, "updated_at": text(just_after)}
    issues = rig.vendor.lists["issues"] = Touched([row], now=lambda: datetime.now(UTC))
    issues.touched = 1
    assert rig.pull(ISSUES, "projects", "issues").success
    assert issues.all()[0]["updated_at"] > text(midnight), "it was never looked for"
    assert is_shifted(rig) == []
    assert rig.pull(ISSUES, "issues").success
    assert rig.table("issues") == rig.truth("issues")


class OneDayLate(Rows):
    """Rows whose filter is shifted, except in the first answer for exactly the time of a row.

    That answer comes after another day was requested with more days around it, because it has found the shift.
    """

    def __init__(self, items: list[Item]) -> None:
        super().__init__(items, now=lambda: datetime.now(UTC))
        self.shift = timedelta(hours=5)
        self.found, self._first = threading.Event(), threading.Semaphore()

    def between(self, start: datetime | None = None, end: datetime | None = None) -> list[Item]:
        width = end - start if start and end else timedelta(0)
        if width > timedelta(days=2):
            self.found.set()
        if width < timedelta(seconds=10) and self._first.acquire(blocking=False):
            self.found.wait(10)
            return self.all()
        return super().between(start, end)


def test_a_day_without_a_shift_does_not_undo_what_another_day_has_found(rig: Rig) -> None:
    """The finding of a day that was checked at the same time was lost, and later days missed rows."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    issues = rig.vendor.lists["issues"] = OneDayLate(
        [
            {
                "id": 1 + back,
                "project": 1,
                "title": "x",
                "points": 1,
                "updated_at": text(midnight - timedelta(back, 7200)),
            }
            for back in (0, 1)
        ]
    )
    assert rig.pull(ISSUES, "projects", "issues").success
    assert issues.found.is_set()
    assert is_shifted(rig) == [("true",)]


def test_a_full_pull_finds_out_again_whether_the_filter_is_shifted(rig: Rig) -> None:
    rig.vendor.lists["issues"].shift = timedelta(hours=5)
    assert rig.pull(ISSUES, "projects", "issues").success
    rig.vendor.lists["issues"].shift = timedelta(0)
    assert rig.pull(ISSUES, "issues").success
    assert is_shifted(rig) == [("true",)]  # it may be shifted again in summer
    assert rig.pull(ISSUES, "issues", tags={FULL_WALK_TAG: "true"}).success
    assert is_shifted(rig) == [("false",)]
    rig.vendor.lists["issues"].shift = timedelta(hours=5)
    for _ in range(2):
        assert rig.pull(ISSUES, "issues").success
    assert is_shifted(rig) == [("true",)]
    assert rig.table("issues") == rig.truth("issues")


@pytest.mark.parametrize("shape", [LINKS, TICKETS])
def test_an_answer_without_the_known_rows_ends_no_pull_of_changes(rig: Rig, shape: str) -> None:
    """One empty answer with status 200 once meant that nothing had changed, and the changes were never asked for."""
    name = "links" if shape is LINKS else "tickets"
    assert rig.pull(shape, name).success
    for times in (1, 2, 99):
        rig.vendor.lists[name].insert(title="new", project=1, points=1)
        rig.vendor.faults.add(Empty("rows"), times=times)
        rig.pull(shape, name)
        if times == 99:
            assert any(rig.coverage(name))
            rig.vendor.faults.clear()
            assert rig.pull(shape, name).success
        assert rig.table(name) == rig.truth(name), times
        assert set(rig.coverage(name)) == {None}, times
        rig.vendor.faults.clear()


def test_known_rows_that_were_deleted_cost_one_walk(rig: Rig) -> None:
    links = rig.vendor.lists["links"]
    assert rig.pull(LINKS, "links").success
    for row in links.between(datetime.now(UTC) - timedelta(hours=24)):
        links.delete(row["id"])
    assert rig.pull(LINKS, "links").success
    assert rig.table("links") == rig.truth("links")
    rig.sandbox.log.clear()
    assert rig.pull(LINKS, "links").success
    assert all("since" in entry.query for entry in rig.sandbox.log.entries())


@pytest.mark.parametrize("shape", [LINKS, LINKS.replace("from: since", "from: since, from_is_inclusive: false")])
def test_rows_whose_last_change_is_the_first_instant_of_all(rig: Rig, shape: str) -> None:
    """Some vendors' empty value. A second earlier is an instant that Python does not have."""
    rows = [{"id": n, "project": 1, "title": "x", "points": 1, "updated_at": NEVER} for n in range(3)]
    rig.vendor.lists["links"] = Rows(rows, now=lambda: datetime.now(UTC))
    for _ in range(2):
        assert rig.pull(shape, "links").success
    assert rig.sql("SELECT count(*) FROM tracker.links") == [(3,)]
