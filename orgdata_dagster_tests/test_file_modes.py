"""Only their owner can read data and state: files of commands, of the daemon's runs, and of older versions."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from orgdata_dagster import file_modes, settings
from orgdata_dagster.cli.doctor import machine
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.integration.home import Home


def modes(folder: Path) -> dict[str, int]:
    paths = [path for path in [folder, *folder.rglob("*")] if path.is_file() or path.is_dir()]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in paths}


def test_a_pull_leaves_nothing_that_others_may_read(new_home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    done = new_home.orgdata("pull", "institution_analytics/users")
    assert done.status == 0, done.everything
    found = modes(new_home.folder)
    assert {"warehouse.duckdb", "dagster/history/runs.db"} <= set(found)
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}
    assert not list(file_modes.exposed([]))


def test_the_code_location_makes_its_process_private(new_home: Home) -> None:
    """The daemon starts runs in separate processes that do not go through the command line."""
    assert new_home.folder
    code = "import os; os.umask(0o022); import orgdata_dagster.definitions as d; d.defs(); print(oct(os.umask(0)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.stdout.strip().splitlines()[-1:] == ["0o77"], done


def test_without_an_entry_point_the_rate_limits_are_private_too(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with RateLimit("acme", Rule(buckets=((Window(9, 1),),), in_flight=1), FileState(tmp_path)).spend() as permit:
            permit.sent()
    finally:
        os.umask(before)
    assert {oct(mode) for name, mode in modes(tmp_path / "rate_limits").items() if name != "."} == {"0o600"}


def test_files_that_others_can_read_are_found_and_fixed(home: Home) -> None:
    old = settings.staging() / "old.csv"
    old.write_text("a")
    old.chmod(0o644)
    home.folder.chmod(0o755)
    (settings.home() / "rate_limits").mkdir()
    (settings.home() / "rate_limits").chmod(0o755)
    [wrong] = [one for one in machine.findings() if one.about == "private"]
    assert (wrong.good, "can read or write 2 files and folders, such as" in wrong.what) == (False, True), wrong
    assert home.folder.stat().st_mode & 0o077 == 0  # folders are mended at once
    assert wrong.fix is not None
    assert "to their owner" in wrong.fix()
    [mended] = [one for one in machine.findings() if one.about == "private"]
    assert mended.good
    assert stat.S_IMODE(old.stat().st_mode) == file_modes.FILE


def test_a_schema_file_is_not_secret(home: Home, tmp_path: Path) -> None:
    assert home.orgdata("schema", str(tmp_path / "schema.json")).status == 0
    assert oct((tmp_path / "schema.json").stat().st_mode & 0o777) == "0o644"
