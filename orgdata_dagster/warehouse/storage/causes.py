"""Explaining errors of DuckDB and of the system to the user: what is wrong with which file, and what to do about it.

Here: `explained`, which recognises errors by their wording. Add here: another error that a user can fix.
Keep out: waiting and retries (connection.py), databases of the Dagster instance (orchestration/reasons.py).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.errors import WarehouseDamaged, WarehouseError, WarehouseHeld, WarehouseUnavailable
from orgdata_dagster.warehouse.storage import holders, memory

ELSEWHERE = "or point ORGDATA_WAREHOUSE elsewhere"
_QUOTED = re.compile(r'"(/[^"]+)"')
_FULL = ("no space left", "file too large", "disk quota", "no file descriptors")
_FORBIDDEN = ("read-only file system", "permission denied", "operation not permitted")
_DAMAGED = (
    "not a valid duckdb", "corrupt", "could not read enough bytes", "checksum", "failed to deserialize",
    "serialization error", "failure while replaying wal",
)  # fmt: skip
_FULL_CODES = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def explained(error: BaseException, uri: str) -> WarehouseError | None:
    """The error as a WarehouseError about the warehouse at `uri`; None if it is about a query instead."""
    if not isinstance(error, duckdb.Error):
        return None
    text = str(error).replace(uri, "").lower()  # a path may contain any of the words
    return next((make(error, uri) for means, make in _MEANINGS if means(text)), None)


def broken(error: BaseException, uri: str) -> WarehouseError | None:
    """An internal error of DuckDB as a WarehouseError; None for other errors. The tables are not affected."""
    if not isinstance(error, (duckdb.InternalException, duckdb.FatalException)):
        return None
    return WarehouseUnavailable(
        f"DuckDB had an internal error while working on {uri} ({first_line(error)[:200]}). Nothing was committed. Run "
        "this again; if it happens again, report it with the command and the table."
    )


def system_error(error: OSError, path: str) -> WarehouseError:
    """An OSError as a WarehouseError. `path`: the file to name if the error does not name one."""
    named, reason = str(error.filename or path), error.strerror or str(error)
    if error.errno in _FULL_CODES:
        return WarehouseUnavailable(full(named, reason))
    return WarehouseUnavailable(f"Cannot use {named}: {reason}. Make it a place that you may write to, {ELSEWHERE}.")


def full(path: str, reason: str) -> str:
    """The message for a full disk."""
    return (
        f"The disk of {path} is full ({reason.lower()}): make room on it, then run the command again. "
        "Rows that had landed before are untouched."
    )


def first_line(error: BaseException) -> str:
    """The first line of a database error, without the name of its class and without links."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    line = re.sub(r"^(?:[A-Z]\w*(?: \w+)? )?Error: ", "", line)
    return re.sub(r"\.? *(?:See also|For more info\w*,? visit) https?://.*$", "", line).strip()


def _path(error: BaseException, uri: str) -> str:
    """The file that the error names, or the warehouse."""
    found = _QUOTED.search(str(error))
    return found.group(1) if found else uri


def _held(error: BaseException, uri: str) -> WarehouseError:
    found = holders.holders(Path(uri))
    if not found and (match := re.search(r"held in (.+?)(?: \(PID (\d+)\))", str(error))):
        found = [holders.HolderProcess(int(match.group(2)), match.group(1))]
    return WarehouseHeld(
        f"{holders.described(found)} holds the warehouse {uri}: end it, or wait for its end, then run this again."
    )


def _full(error: BaseException, uri: str) -> WarehouseError:
    return WarehouseUnavailable(full(_path(error, uri), first_line(error).rpartition(": ")[2]))


def _forbidden(error: BaseException, uri: str) -> WarehouseError:
    path, reason = _path(error, uri), first_line(error).rpartition(": ")[2].lower()
    return WarehouseUnavailable(f"{path} cannot be opened: {reason}. Make it writable, {ELSEWHERE}.")


def _damaged(error: BaseException, uri: str) -> WarehouseError:
    path = _path(error, uri)
    if Path(path).is_file() and not Path(path).stat().st_size:
        why = "is an empty file"
    elif "not a valid" in str(error):
        why = "is not a DuckDB database, or its beginning is damaged"
    else:
        why = f"is damaged ({first_line(error).replace(path, '...')})"
    return WarehouseDamaged(
        f"The warehouse {path} {why}. Restore it from a backup, or move it away and pull again: "
        f"mv {path} {path}.damaged"
    )


def _missing(error: BaseException, uri: str) -> WarehouseError:
    path = _path(error, uri)
    why = "it is a folder" if os.path.isdir(path) else first_line(error).rpartition(": ")[2].lower()
    return WarehouseUnavailable(f"The warehouse {path} cannot be opened: {why}. Move it away, {ELSEWHERE}.")


def _extension(error: BaseException, uri: str) -> WarehouseError:
    found = re.search(r'extension "?\'?(\w+)', str(error))
    name = found.group(1) if found else "of that kind"
    scheme = uri.partition(":")[0]
    return WarehouseUnavailable(
        f"The warehouse {scheme}:... needs DuckDB's extension {name}, which is not installed and cannot be downloaded "
        "from here. Install it, or set ORGDATA_WAREHOUSE to a path of a DuckDB file."
    )


def _newer(_error: BaseException, uri: str) -> WarehouseError:
    return WarehouseUnavailable(
        f"The warehouse {uri} was written by another version of DuckDB than {duckdb.__version__}: "
        f"install that version, {ELSEWHERE}."
    )


def _short(error: BaseException, _uri: str) -> WarehouseError:
    return memory.short(Exception(str(error)))


_MEANINGS: tuple[tuple[Callable[[str], bool], Callable[[BaseException, str], WarehouseError]], ...] = (
    (lambda text: memory.SHORT.search(text) is not None, _short),
    (lambda text: any(words in text for words in _FULL), _full),
    (lambda text: "conflicting lock" in text or ("set lock" in text and "temporarily unavailable" in text), _held),
    (lambda text: "extension" in text and ("download" in text or "install" in text), _extension),
    (lambda text: "version number" in text or "newer version" in text, _newer),
    (lambda text: any(words in text for words in _FORBIDDEN), _forbidden),
    (lambda text: any(words in text for words in _DAMAGED), _damaged),
    (lambda text: "is a directory" in text or "not a directory" in text or "no such file" in text, _missing),
)
