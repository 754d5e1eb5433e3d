"""The comparison of the tables of living_project.py with what its vendors have.

Here: the vendors' rows, the tables' rows, and the difference. A row is compared by its key and its version. Keep out:
running anything (by_itself.py).
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from living_project import OCTOLIS_ID, start_date

Pairs = Counter[tuple[str, ...]]


def truth(sandbox: Any) -> dict[str, Pairs]:
    """Table -> key and version of each row at the vendor."""
    since = start_date()
    institution, accutics = sandbox.institution_analytics, sandbox.accutics

    def dated(rows: list[dict[str, Any]], key: str, at: str) -> Pairs:
        return Counter((str(row[key]), instant(row[at])) for row in rows if str(row[at]) >= since)

    midnight = datetime.fromisoformat(f"{since}T00:00:00Z")
    reports = sandbox.channel_reports.truth("reports_per_user", 1, midnight, datetime.now(UTC) + timedelta(days=1))
    return {
        "institution_analytics.users_current": dated(institution.data_sets["users"].truth(), "id", "updated_date"),
        "institution_analytics.events_current": dated(institution.data_sets["events"].truth(), "id", "updated_date"),
        "accutics.submissions": dated(accutics.entities["submissions"].truth(), "id", "updated_at"),
        "accutics.records": dated(accutics.entities["records"].truth(), "id", "updated_at"),
        "octolis.contacts": Counter(
            (row["__masterid__"], instant(row["__modified_at__"])) for row in sandbox.octolis.truth(OCTOLIS_ID)
        ),
        "together.users_current": Counter(
            (row["User ID"], row["Department"] or "") for row in sandbox.together.truth("users")
        ),
        "channel_reports.reports_per_user": Counter((str(row["user_id"]), str(row["report_count"])) for row in reports),
    }


def instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


SQL = {
    "institution_analytics.users_current": "SELECT id, updated_date FROM {}",
    "institution_analytics.events_current": "SELECT id, updated_date FROM {}",
    "accutics.submissions": "SELECT id, updated_at FROM {}",
    "accutics.records": "SELECT id, updated_at FROM {}",
    "octolis.contacts": "SELECT __masterid__, __modified_at__ FROM {}",
    "channel_reports.reports_per_user": "SELECT user_id, sum(report_count) FROM {} GROUP BY ALL",
    "together.users_current": 'SELECT "User ID", coalesce("Department", \'\') FROM {}',
}


def landed() -> dict[str, Pairs]:
    """The same for the rows in the warehouse."""
    from orgdata_dagster.orchestration.resources import WarehouseResource

    found: dict[str, Pairs] = {}
    with WarehouseResource().open().reading() as connection:
        for table, sql in SQL.items():
            with suppress(Exception):  # the table does not exist yet
                rows = connection.execute(sql.format(table)).fetchall()
                found[table] = Counter(tuple(map(spelled, row)) for row in rows)
    return found


def spelled(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def different(sandbox: Any) -> dict[str, str]:
    """Tables that differ from the vendor -> the number of rows that only one side has."""
    want, have = truth(sandbox), landed()
    found = {}
    for table, rows in want.items():
        missing, extra = rows - have.get(table, Counter()), have.get(table, Counter()) - rows
        if missing or extra:
            found[table] = f"{missing.total()} missing, {extra.total()} too many"
    return found
