"""Where things are on this machine: the project, the home for state, the warehouse.

Here: what comes from the environment and holds for all vendors. Add here: another place. Keep out: vendors' variables
(their `resource.py`) and anything that needs Dagster.
"""

from __future__ import annotations

import math
import os
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

HOME = "ORGDATA_HOME"
WAREHOUSE = "ORGDATA_WAREHOUSE"
PROJECT = "ORGDATA_PROJECT"


TEST_SERVER_PACE = "ORGDATA_TEST_SERVER_PACE"
TEST_SERVER_PROBES = "ORGDATA_TEST_SERVER_PROBES"
CATCH_UP = "ORGDATA_CATCH_UP_SECONDS"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WAREHOUSES = ("ducklake:", "md:")
_PRIVATE = 0o700  # tables, and what vendors said, are nobody else's
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class SettingsError(Exception):
    """A setting that cannot work: says which one and what to do."""


def project_root() -> Path:
    """The folder with pyproject.toml and dagster.yaml: `ORGDATA_PROJECT`, else the one above this package, else the
    working folder. Raises SettingsError where `ORGDATA_PROJECT` names no folder with a pyproject.toml.
    """
    if configured := os.environ.get(PROJECT):
        folder = _path(PROJECT, configured).absolute()
        if not (folder / "pyproject.toml").exists():
            raise SettingsError(f"{PROJECT}: no pyproject.toml in {folder}; set {PROJECT} to a Dagster project")
        return folder
    above = Path(__file__).resolve().parent.parent
    return above if (above / "dagster.yaml").exists() else Path.cwd()


def home() -> Path:
    """The folder for everything that is not the warehouse (`ORGDATA_HOME`, default `.orgdata`; below the project's root
    unless it is absolute, so that it is the same one from whatever folder).

    Raises SettingsError where it cannot be made or written.
    """
    folder = project_root() / _path(HOME, os.environ.get(HOME) or ".orgdata")
    _make(folder, parents=True)
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"{HOME}: {folder} is not writable; set {HOME} to a folder you own")
    return folder


def rate_limits() -> Path:
    """The folder of the rate limits, shared by all processes that use this home."""
    return _folder("rate_limits")


def circuit_breakers() -> Path:
    """The folder of the circuit breakers of vendors that must not be asked again until a person says so."""
    return _folder("circuit_breakers")


def alerts() -> Path:
    """The folder of what people were told of today."""
    return _folder("alerts")


def staging() -> Path:
    """The folder for pages on their way in, and for the database's spill files."""
    return _folder("staging")


def dagster_home() -> Path:
    """The folder of the Dagster instance."""
    return _folder("dagster")


def warehouse_uri() -> str:
    """The warehouse's URI (`ORGDATA_WAREHOUSE`, a file below the project's root unless its path is absolute; default a
    DuckDB file in the home)."""
    configured = os.environ.get(WAREHOUSE)
    if not configured:
        return str(home() / "warehouse.duckdb")
    if (scheme := _SCHEME.match(configured)) and scheme.group() not in _WAREHOUSES:
        raise SettingsError(
            f"{WAREHOUSE}: {scheme.group()}... is not a place for tables; set it to the path of a DuckDB file, or to "
            f"{' or '.join(f'{each}...' for each in _WAREHOUSES)}"
        )
    return configured if scheme else str(project_root() / _path(WAREHOUSE, configured))


def test_server_pace(base_url: str) -> float | None:
    """Seconds between requests to a simulated vendor, instead of its documented limit (`ORGDATA_TEST_SERVER_PACE`).

    The demo sets it. It counts for a server on this machine alone: no variable weakens the limit of a real vendor.
    """
    configured = os.environ.get(TEST_SERVER_PACE)
    return _number(TEST_SERVER_PACE) if configured and _is_here(base_url) else None


def pause_of_probes(base_url: str) -> timedelta:
    """The time between two looks whether a vendor has something new: 5 minutes, or `ORGDATA_TEST_SERVER_PROBES` seconds
    for a server on this machine.
    """
    configured = os.environ.get(TEST_SERVER_PROBES)
    here = _is_here(base_url)
    return timedelta(seconds=_number(TEST_SERVER_PROBES)) if configured and here else timedelta(minutes=5)


def catch_up_pause() -> timedelta:
    """The first pause between two tries to fetch what is missing (`ORGDATA_CATCH_UP_SECONDS`, default 10 minutes)."""
    return timedelta(seconds=_number(CATCH_UP) if os.environ.get(CATCH_UP) else 600)


def _folder(name: str) -> Path:
    folder = home() / name
    _make(folder)
    return folder


def _make(folder: Path, *, parents: bool = False) -> None:
    try:
        folder.mkdir(mode=_PRIVATE, parents=parents, exist_ok=True)
        if folder.stat().st_mode & 0o077 and folder.stat().st_uid == os.geteuid():
            folder.chmod(_PRIVATE)  # made by an older version, or by hand
    except OSError as error:
        raise SettingsError(
            f"{HOME}: cannot create the folder {folder} ({error.strerror}); set {HOME} to a folder you own"
        ) from None


def _path(name: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(f"{name}: there is no user as in {text!r}; write the whole path") from None


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
    except ValueError:  # no address at all: whoever asks there says so
        return False
