"""Which figures add up over days: the column comments and the README agree with the vendor's figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import orgdata_dagster.vendors.channel_reports as vendor
from orgdata_dagster.sandbox.channel_reports import Channel, ChannelReports, Choice, Field, Form, User
from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS

START = datetime(2026, 3, 9, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS = {"account_id", "channel_id", "field_id", "hour", "dow", "id", "user_id", "report_id", "report_image_id"}
METRICS = [
    (endpoint.name, column)
    for endpoint in ENDPOINTS.values()
    for column, (kind, _) in endpoint.columns.items()
    if kind == "BIGINT" and column not in KEYS
]


@pytest.fixture(scope="module")
def figures() -> ChannelReports:
    """One report whose events all occur again on the next day: the same reader, the same alert."""
    form = Form(1, "form", (Field(2, "field", "Radio", (Choice("a", "A"),)),))
    channel = Channel(1, 1, [form], {1: "New"}, {3: User("John", "Doe")})
    for number in range(2):
        at = START + DAY * number
        channel.add_report(at, user_id=3, state_id=1, selections={2: "A"})
        channel.add_read(1, 3, at)
        channel.add_alert(1, 3, at, opened=True)
    return ChannelReports([channel])


def total(figures: ChannelReports, name: str, column: str, start: datetime, end: datetime) -> int:
    return sum(row[column] for row in figures.truth(name, 1, start, end) or ())


@pytest.mark.parametrize(("name", "column"), METRICS)
def test_the_comment_says_whether_it_adds_up(figures: ChannelReports, name: str, column: str) -> None:
    by_day = [total(figures, name, column, START + DAY * back, START + DAY * (back + 1)) for back in range(2)]
    whole = total(figures, name, column, START, START + 2 * DAY)
    assert by_day == [1, 1]
    said = ENDPOINTS[name].descriptions[column]
    assert ("adds up over time ranges" in said) == (sum(by_day) == whole)
    assert ("do not add it up" in said) == (sum(by_day) != whole)


def test_the_readme_says_the_same() -> None:
    readme = (Path(vendor.__path__[0]) / "README.md").read_text()
    chapter = readme.split("## What you may add up")[1].split("##")[0]
    summed, distinct = chapter.split("Distinct counts")
    for name, column in METRICS:
        adds_up = "adds up over time ranges" in ENDPOINTS[name].descriptions[column]
        assert f"`{column}`" in (summed if adds_up else distinct)
        assert adds_up or f"`{column}`" not in summed
