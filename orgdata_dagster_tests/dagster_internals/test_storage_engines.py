"""Dagster's SQLite files wait for the disk only when the write-ahead log is emptied, also while they are created."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from orgdata_dagster import settings
from orgdata_dagster.orchestration.instance.setup import shared_instance

NORMAL = 1


def test_no_commit_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.DAGSTER_HOME, raising=False)
    monkeypatch.setenv(settings.HOME, str(tmp_path))
    seen = set[tuple[str, str, int]]()

    def note(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        raw = connection.connection.dbapi_connection
        if statement.lstrip().startswith(("CREATE TABLE", "INSERT", "UPDATE")):
            [(mode,)], [(waits,)] = (raw.execute(f"PRAGMA {name}") for name in ("journal_mode", "synchronous"))
            seen.add((Path(connection.engine.url.database).name, mode, waits))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with shared_instance():
            pass
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert seen == {(name, "wal", NORMAL) for name in ("runs.db", "index.db", "schedules.db")}
