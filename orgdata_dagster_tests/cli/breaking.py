"""Ways to break the files, disks and variables of a home.

Here: functions that break a home and return the path or variable that a message has to name.
Keep out: what the commands print then (test_conditions.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster.warehouse.storage import extensions
from orgdata_dagster_tests.integration.home import Home

MOUNTS = os.geteuid() == 0 and sys.platform == "linux" and not subprocess.run(
    "mkdir -p /tmp/orgdata-mount && mount -t tmpfs tmpfs /tmp/orgdata-mount && umount /tmp/orgdata-mount",
    shell=True, check=False, capture_output=True,
).returncode  # fmt: skip


def warehouse(home: Home) -> Path:
    return Path(home.warehouse.uri)


def put(data: bytes) -> Callable[[Home, ExitStack], str]:
    def broken(home: Home, _: ExitStack) -> str:
        warehouse(home).write_bytes(data)
        return str(warehouse(home))

    return broken


def cut(home: Home, _: ExitStack) -> str:
    whole = warehouse(home).read_bytes()
    warehouse(home).write_bytes(whole[:9000])
    return str(warehouse(home))


def scrambled(home: Home, _: ExitStack) -> str:
    whole = bytearray(warehouse(home).read_bytes())
    whole[4096:12288] = bytes(8192)
    warehouse(home).write_bytes(whole)
    return str(warehouse(home))


def folder_instead(home: Home, _: ExitStack) -> str:
    warehouse(home).unlink()
    warehouse(home).mkdir()
    return str(warehouse(home))


def altered(sql: str) -> Callable[[Home, ExitStack], str]:
    def broken(home: Home, _: ExitStack) -> str:
        with duckdb.connect(str(warehouse(home))) as database:
            database.execute(sql)
        return str(warehouse(home))

    return broken


def held(home: Home, stack: ExitStack) -> str:
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", program, str(warehouse(home))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return f"process {process.pid} ("


def small_disk(at: Callable[[Home], Path]) -> Callable[[Home, ExitStack], str]:
    """A full file system in place of a folder."""

    def broken(home: Home, stack: ExitStack) -> str:
        if not MOUNTS:
            pytest.skip("mounts nothing here")
        folder = at(home)
        kept = folder.with_name(folder.name + "-kept")
        shutil.copytree(folder, kept)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
        stack.callback(subprocess.run, ["umount", "-l", folder], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        with (folder / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        return str(folder)

    return broken


def read_only(at: Callable[[Home], Path]) -> Callable[[Home, ExitStack], str]:
    def broken(home: Home, stack: ExitStack) -> str:
        if not MOUNTS:
            pytest.skip("mounts nothing here")
        folder = at(home)
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        stack.callback(subprocess.run, ["umount", "-l", folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        return str(folder)

    return broken


def dagster_file(name: str, data: bytes | None, *, cut_to: int | None = None) -> Callable[[Home, ExitStack], str]:
    def broken(home: Home, _: ExitStack) -> str:
        (path,) = (home.folder / "dagster").rglob(name)
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        if cut_to is not None:
            os.truncate(path, cut_to)
        elif data is None:
            path.unlink()
            path.mkdir()
        else:
            path.write_bytes(data)
        return str(path)

    return broken


def rate_limit_folder(home: Home, _: ExitStack) -> str:
    path = home.folder / "rate_limits" / "institution_analytics.sqlite"
    path.unlink()
    path.mkdir()
    return str(path)


def variable(name: str, value: str, told: str = "") -> Callable[[Home, ExitStack], str]:
    def broken(home: Home, _: ExitStack) -> str:
        home.set(**{name: value})
        return told or name

    return broken


def without_extension(home: Home, stack: ExitStack) -> str:
    """DuckDB's server does not answer, whatever network the tests have; DuckDB itself tries for half a second."""

    def load(connection: duckdb.DuckDBPyConnection, name: str) -> None:  # noqa: ARG001
        raise duckdb.IOException(f'Failed to download extension "{name}"')

    stack.enter_context(pytest.MonkeyPatch.context()).setattr(extensions, "_load_installed", load)
    return variable("ORGDATA_WAREHOUSE", "md:x")(home, stack)


def dotenv(text: bytes) -> Callable[[Home, ExitStack], str]:
    def broken(_: Home, __: ExitStack) -> str:
        path = Path(os.environ["ORGDATA_PROJECT"]) / ".env"
        path.write_bytes(text)
        return str(path)

    return broken


def at_its_own_place(home: Home) -> Path:
    """Move the warehouse into a separate folder."""
    folder = home.folder.parent / "tables"
    folder.mkdir()
    warehouse(home).rename(folder / "w.duckdb")
    home.set(ORGDATA_WAREHOUSE=str(folder / "w.duckdb"))
    return folder


def full_warehouse(home: Home, stack: ExitStack) -> str:
    return small_disk(lambda _: at_its_own_place(home))(home, stack)


def read_only_warehouse(home: Home, stack: ExitStack) -> str:
    return read_only(lambda _: at_its_own_place(home))(home, stack)
