"""The nine aggregates, computed from the events every time they are asked for, so that late events count.

Here: one function an endpoint, from a channel and a span to the document's rows (`vendor_apis/channel_reports.md`).
Add here when: the document has another endpoint.
Keep out: parameters and HTTP (`api`); keeping events (`channel`).

Where the document is silent: what has no report has no row; days, hours and weekdays are UTC; `dow` is 0 on Sundays
(PostgreSQL's); `datetime_range_width` is "day" for up to 31 days, else "week", from Monday as in its example.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.channel_reports.channel import Alert, Channel, Field, Span

Json = dict[str, Any]

HOUR = 3_600_000_000
DAY, WEEK = instants.DAY, 7 * instants.DAY


def reports_images(channel: Channel, span: Span) -> list[Json]:
    """The images put to reports within the span, oldest first."""
    return [
        {
            "report_image_id": image.id,
            "account_id": channel.account_id,
            "report_id": image.report_id,
            "created_at": instants.to_text(image.at, 3),
            "styles": {size: f"https://images.example/{size}/{channel.id}-{image.id}.png" for size in _STYLES},
        }
        for image in channel.images.within(span)
    ]


def reports_over_time(channel: Channel, span: Span) -> list[Json]:
    """Reports by day or week; the first week may begin before the span, but counts only what is within."""
    width = "day" if span.end - span.start <= 31 * DAY else "week"
    counts = Counter(_bucket(report.at, width) for report in channel.reports.within(span))
    return [
        {
            "account_id": channel.account_id,
            "datetime_range_start": instants.to_text(start, 3),
            "report_count": count,
            "datetime_range_width": width,
        }
        for start, count in sorted(counts.items())
    ]


def reports_per_field_selection(channel: Channel, span: Span, field: Field) -> list[Json]:
    """Reports by what was selected in a field, in the order of the field's choices."""
    counts = Counter(report.selections.get(field.id) for report in channel.reports.within(span))
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


def reports_per_state(channel: Channel, span: Span) -> list[Json]:
    """Reports by the state they are in now, not the one they had within the span."""
    counts = Counter(report.state_id for report in channel.reports.within(span))
    return [
        {"id": state, "name": channel.states[state], "account_id": channel.account_id, "report_count": count}
        for state, count in sorted(counts.items())
    ]


def reports_per_user(channel: Channel, span: Span) -> list[Json]:
    """Reports by who created them."""
    return _counts(channel, "user_id", Counter(report.user_id for report in channel.reports.within(span)))


def reports_per_day_hour(channel: Channel, span: Span) -> list[Json]:
    """Reports by hour of the day, 0-23."""
    return _counts(channel, "hour", Counter(report.at % DAY // HOUR for report in channel.reports.within(span)))


def reports_per_week_day(channel: Channel, span: Span) -> list[Json]:
    """Reports by day of the week, 0 (Sunday) to 6."""
    # 1970 began on a Thursday, which is 4.
    return _counts(channel, "dow", Counter((report.at // DAY + 4) % 7 for report in channel.reports.within(span)))


def reports_read(channel: Channel, span: Span) -> list[Json]:
    """One row, also where nothing was read; `unique_reads` are the different pairs of user and report."""
    reads = channel.reads.within(span)
    return [
        {
            "total_reads": len(reads),
            "reports_seen": len({read.report_id for read in reads}),
            "report_readers": len({read.user_id for read in reads}),
            "unique_reads": len({(read.user_id, read.report_id) for read in reads}),
        }
    ]


def user_awareness(channel: Channel, span: Span) -> list[Json]:
    """A row for each user who was alerted; `unique_alerts` are the different pairs of report and subject."""
    by_user: dict[int, list[Alert]] = defaultdict(list)
    for alert in channel.alerts.within(span):
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

MEASURES: dict[str, Callable[[Channel, Span], list[Json]]] = {
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
