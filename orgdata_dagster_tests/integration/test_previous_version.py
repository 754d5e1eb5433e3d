"""A home that the previous version made opens and goes on: warehouse, ledger, Dagster instance.

The home was made once, see fixtures/README.md. Nothing here changes the fixture to suit a new version: what a new
version cannot read is a fault of the new version.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orgdata_dagster import settings
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.overview.table_statuses import TableStatus
from orgdata_dagster.sandbox import octolis
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.instants import utc_now
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox, default_vendors
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.looking import looked_at
from orgdata_dagster_tests.integration.project import today

FIXTURE = Path(__file__).parents[1] / "fixtures" / "previous_version.tar.xz"
BUILT = datetime(2026, 11, 27, 11, tzinfo=UTC)  # the records of octolis are those of this instant
FIRST, LAST = "2026-11-25", "2026-11-27"
CONTACTS = octolis.DATASETS["contacts"]
NO_LIMIT = {"concurrent": 2, "per_minute": None}
VENDORS: dict[str, tuple[str, dict[str, object]]] = {
    "institution_analytics": ("InstitutionAnalytics", {
        "start_date": FIRST, "limits": NO_LIMIT, "tables": [{"name": "users", "key": ["id"]}]}),
    "channel_reports": ("ChannelReports", {"start_date": FIRST, "limits": NO_LIMIT, "channels": [1]}),
    "accutics": ("Accutics", {"start_date": FIRST, "limits": NO_LIMIT, "tables": [
        {"name": "users", "path": "/users", "paging": "page", "key": ["id"]}]}),
    "together": ("Together", {"limits": {"seconds_between_requests": 0.05}, "tables": [
        {"name": "users", "key": ["User ID"]}, {"name": "pairings"}, {"name": "sessions"}]}),
    "octolis": ("Octolis", {
        "limits": {"points_per_second": 1_000, "points_per_minute": 100_000, "account_points_per_minute": 100_000},
        "full_walk_every": None, "tables": [{"name": "contacts", "id": CONTACTS, "deduplicated_by": ["email"]}]}),
}  # fmt: skip
PULLED = (
    "institution_analytics/users",
    "channel_reports/reports_per_user",
    "accutics/users",
    "together/users",
    "octolis/contacts",
)


@pytest.fixture
def old_home(new_home: Home) -> Home:
    """The home of the previous version, with the same tables in this version's YAML."""
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(new_home.folder.parent, filter="data")
    defs = {
        vendor: yaml.safe_dump({"type": f"orgdata_dagster.{kind}", "attributes": attributes})
        for vendor, (kind, attributes) in VENDORS.items()
    }
    new_home.set(**{settings.TEST_SERVER_PACE: "0.05"})
    new_home.write_project(**defs)
    return new_home


@pytest.fixture
def vendors(old_home: Home) -> Iterator[Sandbox]:
    """The vendors' sandbox, in which octolis has the contacts that the previous version pulled."""
    contacts = octolis.demo(now=lambda: BUILT, limits=UNLIMITED)
    contacts.now = utc_now
    for dataset in contacts.datasets.values():
        dataset.now = utc_now
    others = [vendor for vendor in default_vendors(pace=0.05) if vendor.name != "octolis"]
    with Sandbox(contacts, *others) as running:
        old_home.set(**environment(running.url))
        yield running


def status(home: Home) -> dict[str, TableStatus]:
    """The output of `orgdata status`, while doctor, plan and the sensor `catch_up` find no problem either."""
    found, ticked = looked_at(home, wrong="private")
    asked = {tag for request in ticked.run_requests or () for tag in (RANGE_START, RANGE_END) if tag in request.tags}
    days = {request.tags[name] for request in ticked.run_requests or () for name in asked if name in request.tags}
    assert all(day >= LAST for day in days), "days that the previous version proved complete are not asked for again"
    return found


def ledger(home: Home) -> set[str]:
    found = home.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = '_orgdata'")
    return {name for (name,) in found}


def test_a_home_of_the_previous_version_is_read_before_the_first_write(old_home: Home, vendors: Sandbox) -> None:
    tables = status(old_home)
    assert tables["octolis.contacts"].rows == 2_400
    assert tables["institution_analytics.users"].first_day == FIRST
    assert "views" in ledger(old_home)  # nothing was written
    with old_home.instance() as instance:
        landed = instance.get_materialized_partitions(dg.AssetKey(["institution_analytics", "users"]))
    assert set(landed) == {FIRST, "2026-11-26", LAST}
    assert vendors.log.entries() == []


def test_pulls_go_on_where_the_previous_version_was(old_home: Home, vendors: Sandbox) -> None:
    dataset = vendors.octolis.datasets[CONTACTS]
    dataset.upsert({"email": "new@example.org"}, utc_now() - timedelta(minutes=5))
    before = old_home.sql(
        f"SELECT * FROM institution_analytics.users WHERE _orgdata_partition = '{FIRST}' ORDER BY ALL"
    )
    for asset in PULLED:
        assert old_home.materialize(asset).success, asset
    after = old_home.sql(f"SELECT * FROM institution_analytics.users WHERE _orgdata_partition = '{FIRST}' ORDER BY ALL")
    assert before == after
    assert before
    # octolis: the last full walk is remembered, so a short page is asked for, which changes fill; a walk asks for more
    asked = [entry.query for entry in vendors.log.entries("octolis") if not entry.endpoint.endswith("/count")]
    assert [query["pageSize"] for query in asked] == ["1000"]
    rows = old_home.sql("SELECT count(*), count(*) FILTER (email = 'new@example.org') FROM octolis.contacts")
    assert rows == [(2_401, 1)]
    assert old_home.sql("SELECT count(*) FROM octolis.contacts_current") == [(2_401,)]
    # the ledger has what was added since, and nothing else
    assert {"state", "columns"} < ledger(old_home)
    assert "views" not in ledger(old_home)
    assert old_home.sql("SELECT schema_name, table_name FROM _orgdata.state WHERE key = 'last_full_walk'") == [
        ("octolis", "contacts")
    ]
    old = old_home.sql("SELECT count(*) FROM _orgdata.loads WHERE replaced_characters IS NULL")
    new = old_home.sql("SELECT count(*) FROM _orgdata.loads WHERE replaced_characters = 0")
    assert old[0][0] > 20
    assert new[0][0] >= len(PULLED)
    tables = status(old_home)
    assert today() not in tables["institution_analytics.users"].missing_partitions
