"""A private PostgreSQL server for the tests, from Debian's package `postgresql`.

Here: starting one server for all workers of a test session, and databases on it. The fixtures `postgres` (the server)
and `postgres_database` (a new, empty database) are in conftest.py. Keep out: what is stored on it.

The server listens on 127.0.0.1 with a password, and on a socket in its folder. Everyone who uses it holds a shared
kernel lock on the file `in-use`; a keeper process, which waits for the exclusive lock, stops the server and removes its
folder once they have all ended, by whatever means.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "orgdata", "hidden-postgres-password"
# data of tests need not survive a power cut
_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "listen_addresses": "127.0.0.1",
}
_PATIENCE = 60.0
_numbers = itertools.count()


class NotInstalled(Exception):
    """There is no PostgreSQL server on this machine."""


@dataclass(frozen=True)
class Server:
    """A running server.

    folder: its data, its log `log`, and its socket.
    """

    folder: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        """`postgresql://...` with the password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def keywords(self, database: str = "postgres", *, password: bool = True) -> str:
        """`host=... dbname=...`, libpq's other spelling."""
        secret = f" password={PASSWORD}" if password else ""
        return f"host=127.0.0.1 port={self.port} user={USER} dbname={database}{secret}"

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """The rows of a statement, as PostgreSQL's text. Raises RuntimeError if the statement fails."""
        import psycopg  # here, because the keeper runs this file and needs no driver

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            result = connection.pgconn.exec_(statement.encode())
            if result.status not in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK):
                raise RuntimeError(f"{statement}: {result.error_message.decode()}")
            rows, columns = range(result.ntuples), range(result.nfields)
            return [[(result.get_value(row, column) or b"").decode() for column in columns] for row in rows]

    def new_database(self) -> str:
        """The name of a new, empty database."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} STRATEGY file_copy")  # faster where nothing waits for a disk
        return name


@contextmanager
def running(shared: Path) -> Iterator[Server]:
    """The server of this test session. shared: a folder that all workers of the session have in common.

    Raises NotInstalled.
    """
    shared.mkdir(parents=True, exist_ok=True)
    pointer = shared / "postgres.folder"
    with _locked(shared / "postgres.lock"):
        folder = Path(pointer.read_text()) if pointer.exists() else None
        in_use = _use(folder) if folder else None
        if folder is None or in_use is None:
            folder = _new_folder()
            in_use = _use(folder)
            _start(folder)
            pointer.write_text(str(folder))
    try:
        yield Server(folder, int((folder / "port").read_text()))
    finally:
        os.close(in_use or 0)


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise NotInstalled(f"PostgreSQL is not installed ({name} is missing): apt-get install postgresql")
    return program


def _new_folder() -> Path:
    # the path of a socket has 107 characters at most: not below pytest's folder
    memory = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    folder = Path(tempfile.mkdtemp(prefix="orgdata-pg-", dir=memory))
    if user := _owner():
        shutil.chown(folder, user)
    (folder / "in-use").touch()
    return folder


def _owner() -> str | None:
    """The user that the server runs as: PostgreSQL refuses to run as root."""
    return "postgres" if os.geteuid() == 0 else None


def _use(folder: Path) -> int | None:
    """A descriptor that keeps the server alive until it is closed; None if the server is being stopped already."""
    try:
        descriptor = os.open(folder / "in-use", os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return None
    return descriptor


def _start(folder: Path) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if user := _owner():
        shutil.chown(secret, user)  # a test may have set a umask that keeps others out
    # md5: a test opens hundreds of connections, and scram-sha-256 is slow on purpose
    _run(
        folder, _program("initdb"), "-D", str(folder / "data"), "-U", USER, "--pwfile", str(secret),
        "--auth=md5", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "port").write_text(str(port))
    keeper = [sys.executable, __file__, str(folder), _program("postgres"), str(port)]
    subprocess.Popen(keeper, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", start_new_session=True)
    deadline = time.monotonic() + _PATIENCE
    ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()}")
        time.sleep(0.05)


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, user=_owner(), check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep(folder: Path, program: str, port: str) -> None:
    """Run the server until nobody uses it any more; then remove its folder."""
    options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
    command = [program, "-D", str(folder / "data"), "-k", str(folder), "-p", port, *options]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, user=_owner(), umask=0o077
        )
    with (folder / "in-use").open() as in_use:
        fcntl.flock(in_use, fcntl.LOCK_EX)
        server.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), *sys.argv[2:])
