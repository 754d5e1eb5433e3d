"""The tests' PostgreSQL server: it answers, is shared, and ends with its last user."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from orgdata_dagster_tests.postgres import Server, running
from orgdata_dagster_tests.waiting import text_of, wait_until


def use_until_killed(shared: Path, ready: Path) -> None:
    with running(shared) as server:
        ready.write_text(str(server.folder))
        time.sleep(600)


def test_each_database_is_new(postgres: Server) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    postgres.sql("CREATE TABLE t AS SELECT 1 AS n", first)
    assert postgres.sql("SELECT n FROM t", first) == [["1"]]
    with pytest.raises(RuntimeError, match="does not exist"):
        postgres.sql("SELECT n FROM t", second)


def test_it_stops_when_its_last_user_was_killed(postgres: Server, tmp_path: Path) -> None:
    """The fixture `postgres` is requested so that this test is skipped, too, if there is no server."""
    assert postgres.folder.exists()
    user = multiprocessing.get_context("spawn").Process(target=use_until_killed, args=(tmp_path, tmp_path / "ready"))
    user.start()
    folder = Path(text_of(tmp_path / "ready"))
    with running(tmp_path) as shared:
        assert shared.folder == folder
        user.kill()
        user.join()
        assert shared.sql("SELECT 1") == [["1"]]
    wait_until(lambda: not folder.exists(), "the end of the server")
