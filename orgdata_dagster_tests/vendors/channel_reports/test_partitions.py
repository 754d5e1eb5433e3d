"""Partitions of weeks and months instead of days, and past ones that late events have changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest

from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.ticks import tick_schedule
from orgdata_dagster_tests.vendors.channel_reports.rig import DAY, Rig, days, midnight


def monday(back: int = 0) -> datetime:
    """The start of the week so many weeks ago."""
    return midnight() - DAY * (midnight().weekday() + 7 * back)


def first_of_month(back: int = 0) -> datetime:
    """The start of the month so many months ago."""
    month = midnight().year * 12 + midnight().month - 1 - back
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("grain", "starts"),
    [
        ("week", [monday(2), monday(1), monday()]),
        ("month", [first_of_month(1), first_of_month()]),
    ],
)
def test_a_partition_is_one_day_week_or_month(rig: Rig, grain: str, starts: list[datetime]) -> None:
    name = "reports_read"
    ends = [*starts[1:], starts[-1] + timedelta(days=7) if grain == "week" else first_of_month(-1)]
    windows = list(zip(starts, ends, strict=True))
    keys = [str(start.date()) for start in starts]
    assert rig.pull(name, first=keys[0], last=keys[-1], tables=[{"name": name, "partitions": grain}]).success
    assert rig.rows(name) == rig.truth(name, windows)
    assert rig.sql(f"SELECT DISTINCT _orgdata_partition FROM channel_reports.{name} ORDER BY 1") == [(k,) for k in keys]
    asked = sorted({(each.query["start_date"], each.query["end_date"]) for each in rig.asked()})
    assert asked == [(f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}") for start, end in windows]
    assert all(one[1] == other[0] for one, other in pairwise(asked))  # half open: they touch and share nothing
    ((until,),) = rig.sql("SELECT max(to_instant) FROM _orgdata.coverage")
    assert windows[-1][0] < until < min(windows[-1][1], datetime.now(UTC) + timedelta(minutes=1))


def shown(rig: Rig, name: str) -> dict[str, tuple[object, object]]:
    """Partition -> rows that were new or gone, from the newest materialization."""
    records = rig.instance.fetch_materializations(dg.AssetKey(["channel_reports", name]), limit=50).records
    found: dict[str, tuple[object, object]] = {}
    for record in records:  # newest first
        event = record.asset_materialization
        assert event is not None
        figures = {key: value.value for key, value in event.metadata.items()}
        found.setdefault(
            str(event.partition), (figures.get("rows_new_or_changed"), figures.get("rows_gone_or_changed"))
        )
    return found


def due(rig: Rig, **others: object) -> dict[str, tuple[str, str]]:
    """Table -> the partitions that the schedule wants to pull now."""
    defs = rig.definitions(**others)
    with dg.instance_for_test() as instance:  # an ephemeral one cannot be asked for runs that wait
        ticks = [tick_schedule(instance, defs, each) for each in defs.get_repository_def().schedule_defs]
    return {
        request.asset_selection[0].path[-1]: (request.tags[RANGE_START], request.tags[RANGE_END])
        for tick in ticks
        for request in tick.run_requests or ()
        if request.asset_selection and RANGE_START in request.tags
    }


def test_late_events_are_pulled_again_and_what_changed_is_shown(rig: Rig) -> None:
    name, empty = "reports_per_user", rig.vendor.channels[3]
    windows = days(9)
    empty.add_report(midnight(2) + DAY / 3, user_id=3, state_id=1)
    assert rig.pull(name, first=today(back=9), last=today()).success
    assert set(shown(rig, name).values()) == {(None, None)}  # there was nothing to compare with
    for back, user_id in ((2, 3), (2, 4), (5, 3)):  # one row changes, one is new, one is too late for 3 days
        empty.add_report(midnight(back) + DAY / 2, user_id=user_id, state_id=1)
    first, last = due(rig, repull_days=3)[name]
    assert (first, last) == (today(back=3), today())
    assert rig.pull(name, first=first, last=last).success
    figures = shown(rig, name)
    assert [figures[today(back)] for back in (3, 2, 1)] == [(0, 0), (2, 1), (0, 0)]
    assert [dict(row)["start_date"] for row in rig.truth(name, windows) - rig.rows(name)] == [midnight(5)]
    first, last = due(rig, repull_days=6)[name]
    assert (first, last) == (today(back=6), today())
    assert rig.pull(name, first=first, last=last).success
    assert rig.rows(name) == rig.truth(name, windows)
