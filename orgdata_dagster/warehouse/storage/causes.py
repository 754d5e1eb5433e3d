"""Errors of DuckDB and of the system as one sentence: what is wrong with which file, and what to do about it.

Here: `explained`, which recognises errors by their wording. Add here: another error that a user can do something about.
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
    """The error as a WarehouseError about the warehouse at `uri`; None if it is not about that, but about a query."""
    if not isinstance(error, duckdb.Error):
        return None
    words = str(error).replace(uri, "")  # a path may contain any of the words
    said = words.lower()
    return next((make(error, uri) for means, make in _MEANINGS if means(said)), None)


def broken(error: BaseException, uri: str) -> WarehouseError | None:
    """An error of DuckDB itself as a sentence; its instance cannot be used any more, but the tables can."""
    if not isinstance(error, (duckdb.InternalException, duckdb.FatalException)):
        return None
    return WarehouseUnavailable(
        f"DuckDB failed inside while working on {uri} ({first_line(error)[:200]}). Nothing was committed. Run this "
        "again; if it happens again, report it with the command and the table."
    )


def system_error(error: OSError, path: str) -> WarehouseError:
    """An error of the system about a file. path: the file to name if the error does not name one."""
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
    """The first line of a database error, without the name of its kind and without links."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    line = re.sub(r"^(?:[A-Z]\w*(?: \w+)? )?Error: ", "", line)
    return re.sub(r"\.? *(?:See also|For more info\w*,? visit) https?://.*$", "", line).strip()


def _path(error: BaseException, uri: str) -> str:
    """The file that the error names, or the warehouse."""
    found = _QUOTED.search(str(error))
    return found.group(1) if found else uri


def _held(error: BaseException, uri: str) -> WarehouseError:
    found = holders.holders(Path(uri))
    if not found and (said := re.search(r"held in (.+?)(?: \(PID (\d+)\))", str(error))):
        found = [holders.Holder(int(said.group(2)), said.group(1))]
    return WarehouseHeld(
        f"{holders.told(found)} holds the warehouse {uri}: end it, or wait for its end, then run this again."
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
    (lambda said: memory.SHORT.search(said) is not None, _short),
    (lambda said: any(words in said for words in _FULL), _full),
    (lambda said: "conflicting lock" in said or ("set lock" in said and "temporarily unavailable" in said), _held),
    (lambda said: "extension" in said and ("download" in said or "install" in said), _extension),
    (lambda said: "version number" in said or "newer version" in said, _newer),
    (lambda said: any(words in said for words in _FORBIDDEN), _forbidden),
    (lambda said: any(words in said for words in _DAMAGED), _damaged),
    (lambda said: "is a directory" in said or "not a directory" in said or "no such file" in said, _missing),
)
