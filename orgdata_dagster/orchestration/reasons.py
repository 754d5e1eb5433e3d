"""Turning any error into one sentence for the user: the problem, its place, and the remedy.

Here: `reason`, which the command line and failed steps use, and `of_failed_step`.
Add here when: another library's errors reach a user.
Keep out: errors of the warehouse (warehouse/storage/causes.py) and of vendors (http/errors.py).
"""

from __future__ import annotations

import errno
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import duckdb

from orgdata_dagster import settings
from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.redaction import excerpt, redact
from orgdata_dagster.orchestration import opening, own_code
from orgdata_dagster.state import StateUnavailable
from orgdata_dagster.warehouse.errors import WarehouseError, WarehouseUnavailable
from orgdata_dagster.warehouse.storage.causes import first_line, full

_LONGEST = 500
_NO_ROOM = 1 << 20  # bytes
_MOST_CHECKED = 50  # number of databases that are checked, newest first; each run has its own
_FULL_CODES = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def reason(error: BaseException) -> str:
    """The outermost known cause of an error, in one line; for an unknown error its type and message."""
    chain = _chain(error)
    outermost = next((known for each in chain if (known := _known(each))), None)
    return redact(outermost or _unknown(chain[-1]) + _place(map(own_code.place, reversed(chain))))


def of_failed_step(event: dg.DagsterEvent) -> str | None:
    """Why a step failed: its own description, otherwise the first line of the innermost error; None if not recorded."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    if data.error is None:
        return None
    chain = [data.error]
    while chain[-1].cause:
        chain.append(chain[-1].cause)
    error = chain[-1]
    line = next((line for line in error.message.splitlines() if line.strip()), error.cls_name or "")
    message = re.sub(rf"^[\w.]*{re.escape(error.cls_name or '')}: ", "", line).strip()
    return excerpt(message, _LONGEST) + _place(own_code.place_in(each.stack) for each in reversed(chain))


def is_in_own_code(error: BaseException) -> bool:
    """Whether the user's own code raised an error that `reason` cannot explain, or called what raised it."""
    return not is_known(error) and any(map(own_code.place, _chain(error)))


def is_known(error: BaseException) -> bool:
    """Whether `reason` explains the error, so that its traceback is not needed."""
    return any(_known(each) for each in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and its causes, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or _shown_context(chain[-1])) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _shown_context(error: BaseException) -> BaseException | None:
    return None if error.__suppress_context__ else error.__context__


def _known(error: BaseException) -> str | None:
    if isinstance(error, (VendorError, WarehouseError, StateUnavailable, settings.SettingsError)):
        return " ".join(str(error).split())
    if isinstance(error, duckdb.Error):
        meant = _of_warehouse(error)
        return (
            str(meant)
            if meant
            else f"DuckDB: {excerpt(first_line(error), _LONGEST)}. Run `orgdata doctor` to find the cause."
        )
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error)
    return None


def _of_warehouse(error: duckdb.Error) -> WarehouseError | None:
    try:
        return opening.warehouse().explained(error)
    except (WarehouseError, settings.SettingsError) as worse:  # the warehouse cannot be opened
        return WarehouseUnavailable(str(worse))


def _of_system(error: OSError) -> str | None:
    path = str(error.filename or "")
    if error.errno in _FULL_CODES:
        return full(path or str(_fullest()), error.strerror or "no space left on device")
    if not path:
        return None
    return f"Cannot use {path}: {(error.strerror or str(error)).lower()}. Make it writable, " + (
        f"or set {settings.HOME} to another folder." if _is_below_home(path) else "or choose another path."
    )


def _fullest() -> Path:
    """The folder with the least free space. The error of a failed write may not name the file."""
    folders = (settings.home(), settings.staging(), settings.dagster_home(), Path(tempfile.gettempdir()))
    return min(folders, key=lambda folder: shutil.disk_usage(folder).free)


def _of_sqlite(error: sqlite3.Error) -> str:
    """The reason for an error of a Dagster database. The rate limits explain their own (state/)."""
    folder = settings.dagster_home()
    text = str(error)
    if "full" in text or ("I/O" in text and shutil.disk_usage(folder).free < _NO_ROOM):
        return full(str(folder), text)
    if "locked" in text:
        return f"Another process has locked Dagster's database in {folder} for too long: end it, or try again later."
    if found := _damaged(folder):
        path, why = found
        return (
            f"Dagster's database {path} {why}. Move it away and try again: mv {path} {path}.damaged. "
            "The tables and the coverage are not affected; the history of runs in it is lost."
        )
    return (
        f"Dagster's database in {folder} cannot be used ({text}): make the folder and its files writable, check that "
        f"its disk has free space; or set {settings.HOME} to another folder."
    )


def _damaged(folder: Path) -> tuple[Path, str] | None:
    """The first damaged database below the folder, and its problem as a clause."""
    paths = sorted(folder.rglob("*.db"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths[:_MOST_CHECKED]:
        if path.is_dir():
            return path, "is a folder"
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                row = connection.execute("PRAGMA quick_check(1)").fetchone()
                if row and row[0] != "ok":
                    return path, "is damaged"
            finally:
                connection.close()
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                return path, "is damaged"
    return None


def _is_below_home(path: str) -> bool:
    try:
        return Path(path).is_relative_to(settings.home())
    except settings.SettingsError:
        return True


def _place(places: Iterable[str | None]) -> str:
    """The first of these places in the user's own code, to be added to a message; empty if there is none."""
    found = next(filter(None, places), None)
    return f" (in your own code: {found})" if found else ""


def _unknown(error: BaseException) -> str:
    line = excerpt(" ".join(str(error).split()), _LONGEST)
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
