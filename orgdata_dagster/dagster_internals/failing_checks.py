"""The checks whose last result is a failure.

Here: `failing_checks`. Keep out: evaluating checks (orchestration/checks/); alerts.

Why: `orgdata status` shows them, and importing Dagster would take longer than the rest of the command. This module
therefore reads Dagster's own SQLite file. An index on its table makes this fast even with years of results.
Fallback: Dagster's public interface, also for an instance whose events are in another database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orgdata_dagster.dagster_internals import NotThere, private
from orgdata_dagster.dagster_internals.sqlite_files import EVENTS, sqlite_file

_NEWEST = "SELECT asset_key, check_name, max(id) FROM asset_check_executions GROUP BY 1, 2"
# the newest row of the check that is a result; rows of planned checks are skipped
_RESULT = """
SELECT execution_status, evaluation_event FROM asset_check_executions NOT INDEXED
WHERE id <= ? AND asset_key = ? AND check_name = ? AND execution_status IN ('SUCCEEDED', 'FAILED')
ORDER BY id DESC LIMIT 1
"""
_EVALUATED = "ASSET_CHECK_EVALUATION"

Check = tuple[str, str]
"""The key of an asset, joined by slashes, and the name of one of its checks."""


@dataclass(frozen=True)
class FailingCheck:
    """A check whose last result is a failure.

    asset: the asset's key, joined by slashes.
    error: False if it only warns.
    """

    asset: str
    check: str
    at: datetime
    error: bool
    reason: str

    def __str__(self) -> str:
        kind = "fails" if self.error else "warns"
        return f"check {self.check} of {self.asset} {kind}" + (f": {self.reason}" if self.reason else "")


def failing_checks(dagster_home: Path, among: Collection[Check]) -> list[FailingCheck]:
    """The failing checks of an instance, sorted by asset; empty before the first run. `among`: only these checks."""
    if not (dagster_home / "dagster.yaml").exists():
        return []
    try:
        with private("table of check results"):
            found = list(_of_sqlite(sqlite_file(dagster_home, EVENTS), among))
    except NotThere:
        found = list(_of_instance(dagster_home, among))
    return sorted(found, key=lambda one: (one.asset, one.check))


def _of_sqlite(database: Path, among: Collection[Check]) -> Iterator[FailingCheck]:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            for key, check, last in connection.execute(_NEWEST).fetchall():
                asset = "/".join(json.loads(key))
                found = connection.execute(_RESULT, [last, key, check]).fetchone() if (asset, check) in among else None
                if found and found[0] == "FAILED":
                    yield _read(asset, check, json.loads(found[1]))
    except (sqlite3.Error, KeyError, TypeError, ValueError) as error:  # another version's table or events
        raise ImportError(str(error)) from error


def _read(asset: str, check: str, event: dict[str, Any]) -> FailingCheck:
    data = event["dagster_event"]["event_specific_data"]
    at = datetime.fromtimestamp(event["timestamp"], UTC)
    error = "WARN" not in str(data.get("severity"))
    return FailingCheck(asset, check, at, error, data.get("description") or "")


def _of_instance(dagster_home: Path, among: Collection[Check]) -> Iterator[FailingCheck]:
    import dagster as dg

    keys = [dg.AssetCheckKey(dg.AssetKey(asset.split("/")), check) for asset, check in among]
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        latest: Mapping[Any, Any] = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in latest.items():
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type_value != _EVALUATED or event.event_specific_data.passed:
            continue
        found, at = event.event_specific_data, datetime.fromtimestamp(record.event.timestamp, UTC)
        error = found.severity == dg.AssetCheckSeverity.ERROR
        yield FailingCheck(key.asset_key.to_user_string(), key.name, at, error, found.description or "")
