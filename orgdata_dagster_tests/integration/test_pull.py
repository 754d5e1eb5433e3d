"""`orgdata pull` against the vendor's truth, row by row: the first pull, the next one, and two at once."""

import json
from datetime import UTC, datetime, timedelta

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.institution_analytics import DataSet
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.integration.truth import difference

VENDOR = "institution_analytics"


def differences(home: Home, sandbox: Sandbox, suffix: str = "") -> dict[str, object]:
    data_sets = sandbox.institution_analytics.data_sets.values()
    found = {each.name: difference(home.warehouse, f"{VENDOR}.{each.name}{suffix}", each.truth()) for each in data_sets}
    return {name: rows for name, rows in found.items() if rows}


def complete_until(home: Home, table: str) -> datetime:
    [(instant,)] = home.sql("SELECT max(to_instant) FROM _orgdata.coverage WHERE complete AND table_name = ?", table)
    assert isinstance(instant, datetime)
    return instant


def newer(data_set: DataSet, since: datetime) -> int:
    return sum(
        instants.from_text(row["updated_date"] or "") >= instants.from_datetime(since) for row in data_set.truth()
    )


def test_what_lands_is_what_the_vendor_has(home: Home, sandbox: Sandbox) -> None:
    first = home.orgdata("pull", "--from", today(back=5), "--json")
    assert (first.status, differences(home, sandbox)) == (0, {}), first.everything
    outcomes = json.loads(first.out)
    assert {(each["asset"], each["first"], each["last"], each["error"]) for each in outcomes} == {
        (f"{VENDOR}/{name}", today(back=5), today(), None) for name in ("courses", "events", "users")
    }

    users = sandbox.institution_analytics.data_sets["users"]
    moved = [str(row["id"]) for row in users.truth()[:5]]  # the oldest, so of a day that is closed
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond | 1)  # whole milliseconds would be read as the vendor's precision
    for number, key in enumerate(moved):
        users.touch(key, now - timedelta(milliseconds=number))
    users.insert(
        {"id": "fresh", "email": "new@example.org", "updated_date": instants.to_text(instants.from_datetime(now))}
    )
    since = complete_until(home, "users")
    sandbox.log.clear()
    second = home.orgdata("pull", f"{VENDOR}/users")
    assert second.status == 0, second.everything

    asked = sandbox.log.entries(VENDOR)
    oldest = since - timedelta(seconds=61)  # the vendor may round bounds to minutes
    assert min(entry.query["updated_after"] for entry in asked) >= oldest.isoformat()[:19]
    # each new row once, but for the lowest of a page, by which the next request starts
    assert 6 <= sum(entry.rows or 0 for entry in asked) <= newer(users, oldest) + len(asked) - 1
    assert len(asked) <= 3
    assert difference(home.warehouse, f"{VENDOR}.users_current", users.truth()) == {}
    assert list(difference(home.warehouse, f"{VENDOR}.users", users.truth())) == ["too many"]  # the old versions

    gone = str(users.truth()[0]["id"])
    users.delete(gone)
    assert home.orgdata("pull", f"{VENDOR}/users", "--from", today(back=5), "--to", today(back=1)).status == 0
    assert differences(home, sandbox) == {}  # the closed days were replaced whole


def test_two_pulls_at_once_and_a_reader_in_a_loop(new_home: Home, sandbox: Sandbox) -> None:
    """In an empty home: two pulls that created Dagster's tables at the same time disturbed each other."""
    readers = [
        new_home.start(table, main="orgdata_dagster_tests.integration.reader:main") for table in ("users", "events")
    ]
    pulls = [new_home.start("pull", "--from", today(back=5)), new_home.start("pull", "--from", today(back=3))]
    for done in [pull.wait() for pull in pulls]:
        assert done.status == 0, done.everything
    (new_home.folder / "enough").touch()
    for read in [reader.wait() for reader in readers]:
        assert read.status == 0, read.everything
        seen = json.loads(read.out)
        assert seen["reads"] > 1  # the last is made after the pulls, so some were made while they wrote
        assert seen["duplicates"] == 0
        # whatever moment the reader came: a closed day was not there yet, or all of it was
        sizes = {day: sizes for day, sizes in seen["sizes"].items() if day < today()}
        assert sizes.keys() <= {today(back=back) for back in range(1, 6)}
        assert [day for day, each in sizes.items() if len(each) != 1] == []
    assert differences(new_home, sandbox) == {}
    assert new_home.sql("SELECT count(*) FROM _orgdata.loads WHERE table_name = 'users'") == [(6 + 4,)]
