"""The nine aggregates, computed from the events at every request, so that late events count.

Here: one function per endpoint, from a channel and a period to the document's rows (`vendor_apis/channel_reports.md`).
Add here when: the document has another endpoint.
Keep out: parameters and HTTP (`api`); keeping events (`channel`).

Where the document is silent: what has no report has no row; days, hours and weekdays are UTC; `dow` is 0 on Sundays
(PostgreSQL's); `datetime_range_width` is "day" for up to 31 days, else "week", from Monday as in its example.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.channel_reports.channel import Alert, Channel, Field, Period

Json = dict[str, Any]

HOUR = 3_600_000_000
DAY, WEEK = instants.DAY, 7 * instants.DAY


def reports_images(channel: Channel, period: Period) -> list[Json]:
    """The images added within the period, oldest first."""
    return [
        {
            "report_image_id": image.id,
            "account_id": channel.account_id,
            "report_id": image.report_id,
            "created_at": instants.to_text(image.at, 3),
            "styles": {size: f"https://images.example/{size}/{channel.id}-{image.id}.png" for size in _STYLES},
        }
        for image in channel.images.within(period)
    ]


def reports_over_time(channel: Channel, period: Period) -> list[Json]:
    """Reports by day or week. The first week may begin before the period, but only events within the period count."""
    width = "day" if period.end - period.start <= 31 * DAY else "week"
    counts = Counter(_bucket(report.at, width) for report in channel.reports.within(period))
    return [
        {
            "account_id": channel.account_id,
            "datetime_range_start": instants.to_text(start, 3),
            "report_count": count,
            "datetime_range_width": width,
        }
        for start, count in sorted(counts.items())
    ]


def reports_per_field_selection(channel: Channel, period: Period, field: Field) -> list[Json]:
    """Reports by the selection in a field, in the order of the field's choices."""
    counts = Counter(report.selections.get(field.id) for report in channel.reports.within(period))
    return [
        {
            "field_id": field.id,
            "account_id": channel.account_id,
            "name": choice.name,
            "value": choice.value,
            "report_count": counts[choice.value],
        }
        for choice in field.choices
        if counts[choice.value]
    ]


def reports_per_state(channel: Channel, period: Period) -> list[Json]:
    """Reports by their current state, not the state that they had within the period."""
    counts = Counter(report.state_id for report in channel.reports.within(period))
    return [
        {"id": state, "name": channel.states[state], "account_id": channel.account_id, "report_count": count}
        for state, count in sorted(counts.items())
    ]


def reports_per_user(channel: Channel, period: Period) -> list[Json]:
    """Reports by the user who created them."""
    return _counts(channel, "user_id", Counter(report.user_id for report in channel.reports.within(period)))


def reports_per_day_hour(channel: Channel, period: Period) -> list[Json]:
    """Reports by hour of the day, 0-23."""
    return _counts(channel, "hour", Counter(report.at % DAY // HOUR for report in channel.reports.within(period)))


def reports_per_week_day(channel: Channel, period: Period) -> list[Json]:
    """Reports by day of the week, 0 (Sunday) to 6."""
    # 1970 began on a Thursday, which is 4.
    return _counts(channel, "dow", Counter((report.at // DAY + 4) % 7 for report in channel.reports.within(period)))


def reports_read(channel: Channel, period: Period) -> list[Json]:
    """One row, even if nothing was read. `unique_reads` counts the different pairs of user and report."""
    reads = channel.reads.within(period)
    return [
        {
            "total_reads": len(reads),
            "reports_seen": len({read.report_id for read in reads}),
            "report_readers": len({read.user_id for read in reads}),
            "unique_reads": len({(read.user_id, read.report_id) for read in reads}),
        }
    ]


def user_awareness(channel: Channel, period: Period) -> list[Json]:
    """One row per user who was alerted. `unique_alerts` counts the different pairs of report and subject."""
    by_user: dict[int, list[Alert]] = defaultdict(list)
    for alert in channel.alerts.within(period):
        by_user[alert.user_id].append(alert)
    return [
        {
            "total_alerts": len(alerts),
            "alert_source_reports": len({alert.report_id for alert in alerts}),
            "unique_alerts": len({(alert.report_id, alert.subject) for alert in alerts}),
            "alerts_opened": sum(alert.opened for alert in alerts),
            "user_id": user_id,
            **channel.users[user_id]._asdict(),
        }
        for user_id, alerts in sorted(by_user.items())
    ]


# Of the last two, `fields` chooses among these; the first is what is returned where nothing is chosen.
FIELDS = {
    "reports_read": ("total_reads", "unique_reads", "report_readers", "reports_seen"),
    "user_awareness": ("total_alerts", "alert_source_reports", "unique_alerts", "alerts_opened"),
}

MEASURES: dict[str, Callable[[Channel, Period], list[Json]]] = {
    measure.__name__: measure
    for measure in (
        reports_images,
        reports_over_time,
        reports_per_state,
        reports_per_user,
        reports_per_day_hour,
        reports_per_week_day,
        reports_read,
        user_awareness,
    )
}

_STYLES = ("thumb", "medium")


def _bucket(at: int, width: str) -> int:
    # 1970 began on a Thursday: three days after a Monday.
    return at - at % DAY if width == "day" else at - (at + 3 * DAY) % WEEK


def _counts(channel: Channel, name: str, counts: Counter[int]) -> list[Json]:
    return [
        {"account_id": channel.account_id, name: value, "report_count": count}
        for value, count in sorted(counts.items())
    ]
