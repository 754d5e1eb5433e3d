from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.sandbox.channel_reports import Channel, ChannelReports, Choice, Field, Form, User, demo
from orgdata_dagster.sandbox.channel_reports.api import COUNTED_TYPES
from orgdata_dagster.sandbox.channel_reports.demo_data import EMPTY_CHANNEL, QUIET_DAY

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)
FORM = Form(1, "form", (Field(2, "field", "Radio", (Choice("a", "A"),)),))


def of_day(vendor: ChannelReports, endpoint: str, channel_id: int, back: int) -> list[dict[str, object]]:
    start = MIDNIGHT - timedelta(days=back)
    return vendor.truth(endpoint, channel_id, start, start + timedelta(days=1)) or []


@pytest.fixture(scope="module")
def vendor() -> ChannelReports:
    return demo(now=lambda: NOW)


def test_three_channels_of_which_one_is_empty(vendor: ChannelReports) -> None:
    assert set(vendor.channels) == {1, 2, EMPTY_CHANNEL}
    for number, channel in vendor.channels.items():
        sizes = [len(events) for events in (channel.reports, channel.images, channel.reads, channel.alerts)]
        assert all(size > 100 for size in sizes) if number != EMPTY_CHANNEL else sizes == [0, 0, 0, 0]
        kinds = {field.field_type for field in channel.fields.values()}
        assert set(COUNTED_TYPES) < kinds


def test_days_are_full_but_for_one_and_nothing_is_later_than_now(vendor: ChannelReports) -> None:
    for number in (1, 2):
        found = [len(of_day(vendor, "reports_per_day_hour", number, back)) for back in range(-1, 31)]
        assert [back - 1 for back, hours in enumerate(found) if not hours] == [-1, QUIET_DAY, 30]
    at = [event.at for c in vendor.channels.values() for events in (c.reports, c.reads) for event in events]
    assert max(at) <= NOW.timestamp() * 1_000_000


def test_the_same_day_has_the_same_reports_whenever_the_sandbox_is_started(vendor: ChannelReports) -> None:
    later = demo(now=lambda: NOW + timedelta(days=1))
    for endpoint in ("reports_images", "reports_per_user", "reports_per_field_selection"):
        assert of_day(vendor, endpoint, 1, 2) == of_day(later, endpoint, 1, 2)
        assert of_day(vendor, endpoint, 1, 2) != of_day(demo(now=lambda: NOW, seed=1), endpoint, 1, 2)


def test_distinct_counts_do_not_add_up_over_days(vendor: ChannelReports) -> None:
    """A test that sums days and gets the figure of the week must fail."""
    [week] = vendor.truth("reports_read", 1, MIDNIGHT - timedelta(days=7), MIDNIGHT) or []
    days = [of_day(vendor, "reports_read", 1, back)[0] for back in range(1, 8)]
    sums = {name: sum(int(str(day[name])) for day in days) for name in week}
    assert sums["total_reads"] == week["total_reads"]
    assert sums["report_readers"] > week["report_readers"]
    assert sums["reports_seen"] > week["reports_seen"]


def test_events_must_belong_to_something() -> None:
    channel = Channel(1, 1, [FORM], {1: "new"}, {3: User("John", "Doe")})
    report = channel.add_report(NOW, user_id=3, state_id=1, report_id=40)
    assert channel.add_report(NOW, user_id=3, state_id=1) == report + 1 == 41
    for wrong in (
        lambda: channel.add_report(NOW, user_id=4, state_id=1),
        lambda: channel.add_report(NOW, user_id=3, state_id=2),
        lambda: channel.add_report(NOW, user_id=3, state_id=1, selections={2: "B"}),
        lambda: channel.add_report(NOW, user_id=3, state_id=1, selections={9: "A"}),
        lambda: channel.add_report(NOW, user_id=3, state_id=1, report_id=40),
        lambda: channel.add_image(1, NOW),
        lambda: channel.add_read(1, 3, NOW),
        lambda: channel.add_read(40, 4, NOW),
        lambda: channel.add_alert(40, 4, NOW),
        lambda: channel.set_state(40, 2),
    ):
        with pytest.raises(ValueError, match=r"channel 1 has"):
            wrong()
    assert [len(timeline) for timeline in (channel.reports, channel.images, channel.reads, channel.alerts)] == [
        2,
        0,
        0,
        0,
    ]
