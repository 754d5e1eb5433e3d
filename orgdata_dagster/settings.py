"""The locations of the project, the home folder for state, and the warehouse.

Here: environment variables that apply to all vendors. Add here when: there is another one, or another folder.
Keep out: a vendor's variables (its resource.py) and anything that needs Dagster.
"""

from __future__ import annotations

import math
import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOME = "ORGDATA_HOME"
WAREHOUSE = "ORGDATA_WAREHOUSE"
STATE = "ORGDATA_STATE"
PROJECT = "ORGDATA_PROJECT"
DAGSTER_HOME = "DAGSTER_HOME"  # Dagster's own

TEST_SERVER_PACE = "ORGDATA_TEST_SERVER_PACE"
TEST_SERVER_PROBES = "ORGDATA_TEST_SERVER_PROBES"
CATCH_UP = "ORGDATA_CATCH_UP_SECONDS"
_STATES = ("postgresql://", "postgres://")
_CONFIGURATIONS = {"dg.toml": (), "pyproject.toml": ("tool", "dg")}  # file -> the tables above [project]
_PRIVATE = 0o700  # only the owner may read tables and vendors' answers
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class SettingsError(Exception):
    """An invalid setting. The message contains its name and the remedy."""


class NoProject(SettingsError):
    """The working folder is not in a project."""


def project_root() -> Path:
    """The folder of the Dagster project.

    `ORGDATA_PROJECT` if set; otherwise the working folder or the nearest of its parents whose pyproject.toml (or
    dg.toml) configures a Dagster project.

    Raises NoProject if there is none, and SettingsError if `ORGDATA_PROJECT` is not a project.
    """
    if configured := os.environ.get(PROJECT):
        folder = _path(PROJECT, configured).absolute()
        if not any((folder / name).exists() for name in _CONFIGURATIONS):
            raise SettingsError(f"{PROJECT}: no pyproject.toml in {folder}; set {PROJECT} to a Dagster project")
        if not dg_config(folder):
            raise SettingsError(
                f"{PROJECT}: {folder}/pyproject.toml has no [tool.dg.project]; set {PROJECT} to a Dagster project, or "
                "make one with `orgdata init FOLDER`"
            )
        return folder
    here = Path.cwd()
    found = next((folder for folder in (here, *here.parents) if dg_config(folder)), None)
    if found is None:
        raise NoProject(
            f"no project in {here} or its parents: go to your project's folder, set {PROJECT} to it, or make one with "
            "`orgdata init FOLDER` (`orgdata demo` needs none)"
        )
    return found


def use_project(folder: Path) -> None:
    """Make `folder` the project of this process and its children, unless `ORGDATA_PROJECT` is set."""
    os.environ[PROJECT] = os.environ.get(PROJECT) or str(folder)


def dg_config(folder: Path) -> dict[str, Any]:
    """The configuration of a Dagster project in dg.toml or pyproject.toml; empty if the folder is not a project."""
    for name, tables in _CONFIGURATIONS.items():
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if "project" not in text:
            continue
        try:
            found: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            if "dg.project" in text:
                raise SettingsError(f"{folder / name} is not valid TOML: {error}; correct it") from None
            continue
        for table in (*tables, "project"):
            found = found.get(table, {})
        if found.get("root_module") or found.get("defs_module"):
            return dict(found)
    return {}


def short(file: Path) -> str:
    """A file's path, relative to the working folder if it is below it."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def location_name(project: Path) -> str:
    """The name of the project's code location in the UI."""
    return str(dg_config(project).get("code_location_name") or project.name)


def package_folder(project: Path) -> Path:
    """The folder of the project's package, at the top or in `src`."""
    return _of_module(project, str(dg_config(project).get("root_module") or defs_module(project).partition(".")[0]))


def defs_folder(project: Path) -> Path:
    """The folder with one folder per vendor."""
    return _of_module(project, defs_module(project))


def defs_module(project: Path) -> str:
    """The name of the module with the definitions."""
    found = dg_config(project)
    return str(found.get("defs_module") or f"{found.get('root_module', project.name)}.defs")


def _of_module(project: Path, module: str) -> Path:
    below = Path(*module.split("."))
    return next((at for at in (project / below, project / "src" / below) if at.exists()), project / below)


def home() -> Path:
    """The folder for all state except the warehouse: `ORGDATA_HOME`, default `.orgdata`.

    A relative path is below the project's root, so that the folder is the same from every working folder. The folder is
    created if needed. Raises SettingsError if it cannot be created or written.
    """
    folder = _below_project(_path(HOME, os.environ.get(HOME) or ".orgdata"))
    _make(folder, parents=True)
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"{HOME}: {folder} is not writable; set {HOME} to a folder you own")
    return folder


def staging() -> Path:
    """The folder for downloaded pages until they are committed, and for the database's spill files."""
    return _folder("staging")


def own_dagster_home() -> Path:
    """The folder of the Dagster instance in the home, regardless of `DAGSTER_HOME`."""
    return _folder("dagster")


def dagster_home() -> Path:
    """The folder of the Dagster instance: `DAGSTER_HOME`, default `dagster` in the home.

    Dagster accepts only an absolute path. A relative path is below the project's root here, as for every other folder.
    """
    if not (configured := os.environ.get(DAGSTER_HOME)):
        return own_dagster_home()
    folder = _below_project(_path(DAGSTER_HOME, configured))
    if not folder.exists():
        _make(folder, parents=True)
    return folder


def warehouse_uri() -> str:
    """The warehouse's URI: `ORGDATA_WAREHOUSE`, default a DuckDB file in the home. It may contain a password.

    Relative paths in it are below the project's root.
    """
    return configured_warehouse() or str(home() / "warehouse.duckdb")


def configured_warehouse() -> str | None:
    """`ORGDATA_WAREHOUSE` as it is set; None if the warehouse is the file in the home, which may not exist."""
    return os.environ.get(WAREHOUSE) or None


def state_uri() -> str | None:
    """The database with the state that several machines share: `ORGDATA_STATE`; None for files in the home.

    Raises SettingsError without the value, which may contain a password.
    """
    configured = os.environ.get(STATE)
    if configured and not configured.startswith(_STATES):
        raise SettingsError(
            f"{STATE} is not supported; set it to a PostgreSQL database such as postgresql://USER@HOST:5432/DATABASE, "
            f"or leave it unset: the state is then in files in {HOME}"
        )
    return configured or None


def test_server_pace(base_url: str) -> float | None:
    """Seconds between requests to a simulated vendor, instead of its documented limit (`ORGDATA_TEST_SERVER_PACE`).

    Returns None if it is not set, or if `base_url` is not on this machine: no variable weakens a real vendor's limit.
    """
    configured = os.environ.get(TEST_SERVER_PACE)
    return _number(TEST_SERVER_PACE) if configured and _is_here(base_url) else None


def pause_of_probes(base_url: str) -> timedelta:
    """The time between two change probes: 5 minutes, or `ORGDATA_TEST_SERVER_PROBES` seconds on this machine."""
    configured = os.environ.get(TEST_SERVER_PROBES)
    here = _is_here(base_url)
    return timedelta(seconds=_number(TEST_SERVER_PROBES)) if configured and here else timedelta(minutes=5)


def catch_up_pause() -> timedelta:
    """The pause before the second attempt to pull a gap (`ORGDATA_CATCH_UP_SECONDS`, default 10 minutes)."""
    return timedelta(seconds=_number(CATCH_UP) if os.environ.get(CATCH_UP) else 600)


def _folder(name: str) -> Path:
    folder = home() / name
    _make(folder)
    return folder


def _make(folder: Path, *, parents: bool = False) -> None:
    try:
        folder.mkdir(mode=_PRIVATE, parents=parents, exist_ok=True)
        if folder.stat().st_mode & 0o077 and folder.stat().st_uid == os.geteuid():
            folder.chmod(_PRIVATE)  # created by an older version, or by hand
    except OSError as error:
        raise SettingsError(
            f"{HOME}: cannot create the folder {folder} ({error.strerror}); set {HOME} to a folder you own"
        ) from None


def _below_project(path: Path) -> Path:
    return path if path.is_absolute() else project_root() / path


def _path(name: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(f"{name}: {text!r} names an unknown user; write the full path") from None


def _number(name: str) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SettingsError(f"{name}: {text!r} is not a number of seconds; set it to one such as 600, or delete it")
    return value


def _is_here(base_url: str) -> bool:
    try:
        return urlsplit(base_url).hostname in _LOOPBACK
    except ValueError:  # not a URL; the client reports it
        return False
