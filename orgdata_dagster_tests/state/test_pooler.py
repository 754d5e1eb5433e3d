"""A pooler between orgdata and PostgreSQL: one that shares sessions is refused, because locks belong to sessions."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orgdata_dagster.state import StateUnavailable
from orgdata_dagster.warehouse.errors import WarehouseUnavailable
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.postgres import PASSWORD, USER, Server
from orgdata_dagster_tests.waiting import wait_until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed: apt-get install pgbouncer")


@pytest.fixture
def pooled(postgres: Server) -> Iterator[Callable[[str], Server]]:
    """Start PgBouncer in a mode; returns the server as it appears behind it. The database of its URL must exist."""
    started = list[subprocess.Popen[bytes]]()

    def start(mode: str) -> Server:
        assert PROGRAM is not None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        config, user = postgres.folder / f"{mode}.ini", "postgres" if os.geteuid() == 0 else None
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port} user={USER} password={PASSWORD}\n[pgbouncer]\n"
            f"pool_mode = {mode}\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        )
        config.chmod(0o644)
        started.append(
            subprocess.Popen([PROGRAM, "-q", str(config)], user=user, cwd=postgres.folder, stderr=subprocess.DEVNULL)
        )
        wait_until(lambda: _listens(port))
        return Server(postgres.folder, port)

    yield start
    for process in started:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_pooler_in_transaction_mode_is_refused(
    postgres: Server, pooled: Callable[[str], Server], tmp_path: Path
) -> None:
    """Two processes used to get the same lock of the warehouse, and the run of a killed machine looked alive."""
    warehouses.need_lakes()
    from orgdata_dagster.state.postgres import PostgresState

    database, behind = postgres.new_database(), pooled("transaction")
    with pytest.raises(StateUnavailable, match=f"{database} is behind a pooler in transaction mode"):
        PostgresState(behind.url(database)).describe()
    location = f"ducklake:postgres:{behind.keywords(database)}?DATA_PATH={tmp_path}/lake"
    with (
        pytest.raises(WarehouseUnavailable, match="catalog on PostgreSQL is behind a pooler in transaction mode"),
        Warehouse(location, scratch=tmp_path).transaction(),
    ):
        raise AssertionError("without a lock")


def test_a_pooler_in_session_mode_can_be_used(postgres: Server, pooled: Callable[[str], Server]) -> None:
    from orgdata_dagster.state.postgres import PostgresState

    state = PostgresState(pooled("session").url(postgres.new_database()))
    with state.lock("one"):
        assert state.lease(["two"]) is not None
