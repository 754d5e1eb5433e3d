"""Made-up channels: two with reports of the last days, one empty; with fields that the API counts, and others.

Here: forms, states, users, and each day's events, the same for the same day and seed.
Add here when: a case is found that a pull could lose or change.
Keep out: limits and HTTP.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.channel_reports.api import POLITE, ChannelReports
from orgdata_dagster.sandbox.channel_reports.channel import Channel, Choice, Field, Form, User
from orgdata_dagster.sandbox.limits import Limits

EMPTY_CHANNEL = 3
QUIET_DAY = 4  # days before today on which nothing was reported

# Every channel has the first form, as account-wide forms are; the second channel has one more.
INCIDENT = Form(
    1,
    "Incident",
    (
        Field(2, "Outcome", "Category", (Choice("Resolved", "f_1_2_2_2_1"), Choice("Open", "f_1_2_2_2_2"))),
        Field(3, "Severity", "DropDown", (Choice("High", "f_1_3_1"), Choice("Low, or none", "f_1_3_2"))),
        Field(4, "Called?", "Radio", (Choice("Yes", "f_1_4_1"), Choice("No", "f_1_4_2"))),
        Field(5, "What happened", "Text"),
        Field(6, "Photo", "Image"),
        Field(7, "Involved", "Checkbox", (Choice("Staff", "f_1_7_1"), Choice("Visitors", "f_1_7_2"))),
    ),
)
AUDIT = Form(
    8,
    "Audit – Prüfung",
    (
        Field(9, "Result", "Category", (Choice("Naïve", "f_8_9_1"), Choice("東京", "f_8_9_2"), Choice("", "f_8_9_3"))),
        Field(10, "Never used", "Radio", (Choice("Left", "f_8_10_1"),)),
        Field(11, "When", "Date"),
    ),
)
STATES = {1: "New", 2: "In progress", 3: "Closed – abgeschlossen"}
USERS = {
    3: User("John", "Doe"),
    4: User("Zoë", "Müller"),
    5: User("Pat", "O'Brien, Jr."),
    6: User("小龍", "李"),
    7: User("Cher", ""),
}


def demo(
    *,
    now: Callable[[], datetime] = instants.utc_now,
    days: int = 30,
    reports_a_day: int = 8,
    seed: int = 0,
    limits: Limits = POLITE,
) -> ChannelReports:
    """The vendor with channels 1 and 2 and an empty channel 3, over this many days up to `now`."""
    until = now()
    channels = [
        Channel(1, 1, [INCIDENT], STATES, USERS),
        Channel(2, 1, [INCIDENT, AUDIT], STATES, USERS),
        Channel(EMPTY_CHANNEL, 1, [INCIDENT], STATES, USERS),
    ]
    for channel in channels[:2]:
        for day in _days(until, days):
            # Seeded by the day, so that it stays the same when the sandbox is started on a later day.
            _fill(channel, day, reports_a_day, until, random.Random(f"{seed}/{channel.id}/{day}"))
    return ChannelReports(channels, limits=limits)


def _days(now: datetime, days: int) -> Iterator[date]:
    today = now.astimezone(UTC).date()
    return (today - timedelta(days=back) for back in reversed(range(days)) if back != QUIET_DAY)


def _fill(channel: Channel, day: date, count: int, until: datetime, chance: random.Random) -> None:
    """The reports of a day, from midnight to the last microsecond, with their reads and alerts."""
    midnight = datetime.combine(day, time(), UTC)
    last = timedelta(days=1, microseconds=-1)
    for number in range(count):
        at = midnight + (last if number == count - 1 else last * (number / count))
        if at > until:
            break
        report_id = channel.add_report(
            at,
            user_id=chance.choice(list(USERS)),
            state_id=chance.choice(list(STATES)),
            selections=_selections(channel, chance),
            images=chance.choice((0, 0, 1, 2)),
            report_id=day.toordinal() * 10_000 + channel.id * 1_000 + number,
        )
        _follow(channel, report_id, at, until, chance)


def _follow(channel: Channel, report_id: int, at: datetime, until: datetime, chance: random.Random) -> None:
    """Reads and alerts of a report in the days after it, some of them several times."""
    for _ in range(chance.randrange(5)):
        user_id, later = chance.choice(list(USERS)), at + timedelta(hours=chance.expovariate(1 / 12))
        times, alerted, opened = chance.choice((1, 1, 2)), chance.random() < 0.6, chance.random() < 0.5
        if alerted:
            channel.add_alert(report_id, user_id, at, opened=opened and later <= until)
        if later <= until:
            for _ in range(times):
                channel.add_read(report_id, user_id, later)


def _selections(channel: Channel, chance: random.Random) -> dict[int, str]:
    """A selection in most fields with choices, but never the choice "Never used"."""
    fields = [field for field in channel.fields.values() if field.choices and field.name != "Never used"]
    return {field.id: chance.choice(field.choices).value for field in fields if chance.random() < 0.8}
