"""What a materialization shows in the UI: for the table, for every partition, and for the check."""

from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

USERS = dg.AssetKey(["institution_analytics", "users"])
PARTITION = {
    "dagster/partition_row_count", "rows", "pages", "requests", "bytes", "seconds", "waited_for_rate_limit_seconds",
    "watermark", "complete", "complete_until",
}  # fmt: skip
TABLE = {"dagster/row_count", "dagster/table_name", "dagster/column_schema", "preview"}


def materializations(home: Home) -> dict[str | None, dict[str, object]]:
    """Partition -> the metadata of its newest materialization."""
    with home.instance() as instance:
        found = instance.fetch_materializations(USERS, limit=50).records
        events = [record.asset_materialization for record in found]
        return {each.partition: {k: v.value for k, v in each.metadata.items()} for each in reversed(events) if each}


def test_metadata_of_the_table_and_of_every_partition(home: Home, sandbox: Sandbox) -> None:
    users = sandbox.institution_analytics.data_sets["users"]
    users.insert({"id": "p|pe", "note": "two\nlines", "updated_date": f"{today(back=1)}T12:00:00.5Z"})
    result = home.materialize("institution_analytics/users", today(back=2), today(back=1))
    assert result.success
    shown = materializations(home)
    rows = {day: sum(str(row["updated_date"]).startswith(day) for row in users.truth()) for day in shown if day}
    assert sorted(rows) == [today(back=2), today(back=1)]
    requests = sandbox.log.entries()
    for day, count in rows.items():
        metadata = shown[day]
        assert metadata.keys() >= PARTITION
        assert metadata["dagster/partition_row_count"] == metadata["rows"] == count > 0
        last = max(str(row["updated_date"]) for row in users.truth() if str(row["updated_date"]).startswith(day))
        assert datetime.fromtimestamp(float(str(metadata["watermark"])), UTC).isoformat()[:19] == last[:19]
    assert shown[today(back=2)]["complete"] is shown[today(back=1)]["complete"] is True
    comment = "SELECT comment FROM duckdb_columns() WHERE table_name = 'users' AND column_name = 'updated_date'"
    assert home.sql(comment) == [("When the row was last inserted or updated, by the vendor's clock.",)]
    assert not shown[today(back=2)].keys() & TABLE  # shown once, not 365 times for a year of days
    check_table(shown[today(back=1)], sum(rows.values()))
    assert sum(int(str(shown[day]["requests"])) for day in rows) == len(requests)
    assert sum(int(str(shown[day]["bytes"])) for day in rows) == sum(entry.bytes for entry in requests)
    checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations() if each.asset_key == USERS}
    assert checks["coverage"]


def check_table(metadata: dict[str, object], rows: int) -> None:
    assert metadata.keys() >= TABLE
    assert metadata["dagster/row_count"] == rows
    assert metadata["dagster/table_name"] == "institution_analytics.users"
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    columns = {column.name: (column.type, column.description) for column in schema.columns}
    assert columns["_orgdata_loaded_at"] == ("TIMESTAMP WITH TIME ZONE", "When the row was committed (UTC).")
    assert columns["email"] == ("VARCHAR", "Where they are written to.")
    assert columns["updated_date"] == (
        "TIMESTAMP WITH TIME ZONE",
        "When the row was last inserted or updated, by the vendor's clock.",
    )
    assert [column.name for column in schema.columns if "key" in column.constraints.other] == ["id"]
    assert columns["active"][0] == "BOOLEAN"
    preview = str(metadata["preview"]).splitlines()
    assert preview[0].startswith("| id | email | ")
    assert len(preview) == 2 + 10


def test_changed_columns_are_shown(home: Home, sandbox: Sandbox) -> None:
    assert home.materialize("institution_analytics/users", today(back=1)).success
    users = sandbox.institution_analytics.data_sets["users"]
    users.add_column("team")
    users.touch(
        lambda row: str(row["updated_date"]) < today(), f"{today(back=1)}T10:00:00Z", {"team": "7", "revision": "x"}
    )
    assert home.materialize("institution_analytics/users", today(back=1)).success
    changes = str(materializations(home)[today(back=1)]["column_changes"])
    assert "team: added (BIGINT)" in changes
    assert "revision: widened (BIGINT -> VARCHAR)" in changes
    assert home.sql("SELECT column_name, change FROM _orgdata.schema_changes ORDER BY 1") == [
        ("revision", "widened"),
        ("team", "added"),
    ]


def test_a_single_day_shows_the_same(home: Home, sandbox: Sandbox) -> None:
    """Dagster records a run of one partition in a different way than a run of several."""
    assert home.materialize("institution_analytics/users", today(back=1)).success
    [(day, metadata)] = materializations(home).items()
    assert day == today(back=1)
    assert metadata.keys() >= PARTITION | TABLE
    assert metadata["requests"] == len(sandbox.log.entries())


def test_today_is_shown_as_unfinished(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    assert home.materialize("institution_analytics/users", today()).success
    metadata = materializations(home)[today()]
    assert metadata["complete"] is False
    assert "the partition is not over" in str(metadata["incomplete"])
    until = datetime.fromtimestamp(float(str(metadata["complete_until"])), UTC)
    assert until.date().isoformat() == today()
