"""An interrupted backfill is continued: nothing is lost, and landed partitions are not requested again."""

from collections.abc import Iterable
from datetime import UTC, datetime

import yaml

from orgdata_dagster.orchestration.tags import RESUME_TAG
from orgdata_dagster.sandbox.channel_reports import demo
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.faults import Status
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.log import Entry
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.channel_reports.rig import Rig, attributes, days, failure, one_day
from orgdata_dagster_tests.waiting import wait_until

FIRST, SECOND = "reports_per_state", "reports_per_user"  # in the order of their runs
BACK = 12


def windows(entries: Iterable[Entry]) -> list[tuple[str, str, str]]:
    """Endpoint, channel and day of requests, in order."""
    return sorted(
        (each.endpoint.rsplit("/", 1)[-1], each.query["channel_id"], each.query["start_date"][:10])
        for each in entries
        if one_day(each)
    )


def missing(name: str, had: set[str]) -> list[tuple[str, str, str]]:
    """The requests of all days except these."""
    wanted = [today(back) for back in range(BACK, -1, -1)]
    return [(name, channel, day) for channel in "123" for day in wanted if day not in had]


def test_a_run_that_continues_a_failed_one_asks_for_what_that_one_lacks(rig: Rig) -> None:
    began = datetime.now(UTC).isoformat()
    rig.vendor.faults.add(Status(401), after=20)  # days of three requests each, one request at a time
    one = {"limits": {"concurrent": 1, "per_minute": None}}
    assert "401" in failure(rig.pull(FIRST, first=today(back=BACK), last=today(), **one))
    had = {day for (day,) in rig.sql("SELECT partition_key FROM _orgdata.coverage WHERE complete")}
    assert had == {today(back) for back in range(BACK, BACK - 6, -1)}
    rig.sandbox.log.clear()
    result = rig.pull(FIRST, first=today(back=BACK), last=today(), tags={RESUME_TAG: began})
    assert result.success
    assert windows(rig.asked()) == missing(FIRST, had)
    assert rig.rows(FIRST) == rig.truth(FIRST, days(BACK))
    told = result.asset_materializations_for_node(f"channel_reports__{FIRST}")
    assert {event.partition for event in told if "resumed" in event.metadata} == had


def test_a_killed_pull_continues_with_the_run_that_was_under_way(home: Home) -> None:
    """kill -9 of the real command during the second of two runs: the first run is not repeated."""
    with Sandbox(demo(days=6, limits=UNLIMITED)) as sandbox:
        home.set(**environment(sandbox.url))
        settings = attributes(tables=[{"name": FIRST}, {"name": SECOND}], limits={"concurrent": 1, "per_minute": None})
        home.write_project(
            channel_reports=yaml.safe_dump({"type": "orgdata_dagster.ChannelReports", "attributes": settings})
        )
        pull = home.start("pull", "channel_reports", "--from", today(back=BACK))
        wait_until(lambda: len([each for each in sandbox.log.entries() if each.endpoint.endswith(SECOND)]) > 5)
        pull.kill_all()
        wait_until(lambda: not pull.group())
        had = set(home.sql("SELECT table_name, partition_key FROM _orgdata.coverage WHERE complete"))
        assert {day for table, day in had if table == FIRST} == {today(back) for back in range(BACK + 1)}
        assert len(had) < 2 * (BACK + 1)
        sandbox.log.clear()
        done = home.orgdata("pull", "channel_reports", "--from", today(back=BACK), "--resume")
        assert done.status == 0, done.everything
        assert windows(sandbox.log.entries()) == missing(SECOND, {day for table, day in had if table == SECOND})
        now = home.sql("SELECT table_name, partition_key, count(*) FROM _orgdata.coverage WHERE complete GROUP BY ALL")
        assert sorted(now) == [(table, today(back), 1) for table in (FIRST, SECOND) for back in range(BACK, -1, -1)]
