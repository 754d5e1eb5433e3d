"""What a materialization shows about completeness: whether, until when, and the reason of a gap."""

from datetime import UTC, datetime, timedelta

from orgdata_dagster.orchestration.assets.completeness import complete_until, of_coverage
from orgdata_dagster.warehouse.ledger.intervals import Interval

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=1)
NOON = START + timedelta(hours=12)


def metadata(*coverage: Interval, window: tuple[datetime, datetime] | None = (START, END)) -> dict[str, object]:
    return {name: value.value for name, value in of_coverage(coverage, window).items()}


def test_a_whole_day_is_complete() -> None:
    assert metadata(Interval(START, END)) == {"complete": True, "complete_until": END.timestamp()}


def test_a_day_with_a_gap_names_it_and_is_complete_up_to_it() -> None:
    gap = Interval(NOON, NOON + timedelta(hours=1), "too many rows at one instant")
    shown = metadata(Interval(START, NOON), gap, Interval(gap.end, END))
    assert shown["complete"] is False
    assert shown["complete_until"] == NOON.timestamp()
    assert shown["incomplete"] == (
        "- from 2026-03-01 12:00:00 UTC to 2026-03-01 13:00:00 UTC: too many rows at one instant"
    )


def test_a_day_that_is_not_over_is_shown_as_unfinished() -> None:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = start + timedelta(minutes=1)
    shown = metadata(Interval(start, until), window=(start, start + timedelta(days=1)))
    assert shown["complete"] is False
    assert shown["complete_until"] == until.timestamp()
    assert str(shown["incomplete"]).endswith("00:01:00 UTC: the partition is not over")


def test_a_past_day_that_was_pulled_before_its_end_is_marked() -> None:
    assert "has not been pulled to its end" in str(metadata(Interval(START, NOON))["incomplete"])


def test_a_snapshot_is_complete_as_of_its_instant() -> None:
    assert metadata(Interval(NOON - timedelta(days=1), NOON), window=None)["complete"] is True


def test_an_incomplete_table_without_partitions_does_not_show_the_epoch() -> None:
    shown = metadata(Interval(datetime(1970, 1, 1, tzinfo=UTC), NOON, "two walks differ"), window=None)
    assert shown == {"complete": False, "incomplete": "- to 2026-03-01 12:00:00 UTC: two walks differ"}


def test_many_gaps_are_not_all_listed() -> None:
    gaps = [Interval(START + n * timedelta(minutes=1), START + (n + 1) * timedelta(minutes=1), "x") for n in range(50)]
    lines = str(metadata(*gaps)["incomplete"]).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "- and 31 more"  # 30 gaps, and that the day was not pulled to its end


def test_complete_until_ends_at_the_first_hole_between_intervals() -> None:
    assert complete_until([Interval(NOON, END), Interval(START, START + timedelta(hours=1))]) == START + timedelta(
        hours=1
    )
    assert complete_until([]) is None
