"""Errors of the warehouse, named by how one recovers from them.

Here: exceptions only. Add here: an error that callers handle in a way of its own. Keep out: HTTP and Dagster.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Base class: a message of one line that says what happened, where, and what to do."""


class UnreadablePage(WarehouseError):
    """A page is malformed: cut short, with a wrong number of columns, or without an instant in the cursor column.

    Requesting it again may help. Its rows are never stored.
    """


class RecordTooLarge(WarehouseError):
    """A record is larger than the readers support. Requesting it again does not help."""


class MemoryShort(WarehouseError):
    """The work needs more memory than is allowed, even alone, on one thread and with spilling. Nothing was changed."""


class ContractViolation(WarehouseError):
    """The table is frozen and its columns would change. The old partition stays in place."""


class Refused(WarehouseError):
    """A rule of the table forbids storing these rows. The old partition stays in place."""


class UnknownColumns(Refused):
    """The configuration names columns that do not exist. The old partition stays in place.

    keys: whether one of them is part of the key.
    """

    def __init__(self, message: str, *, keys: bool = False) -> None:
        super().__init__(message)
        self.keys = keys


class KeysViolated(Refused):
    """Rows have no key, or share it with another row. The old partition stays in place."""


class RowCountMismatch(WarehouseError):
    """The database read a different number of rows than the pages contain. Nothing was committed."""


class WarehouseUnavailable(WarehouseError):
    """The warehouse cannot be opened or written now: it does not exist, the disk is full, or permission is missing."""


class WarehouseDisconnected(WarehouseUnavailable):
    """The connection to the server with the catalog was lost, or the server does not answer. Trying again may help."""


class WarehouseHeld(WarehouseUnavailable):
    """Another process holds the warehouse and did not release it in time."""


class WarehouseDamaged(WarehouseError):
    """The warehouse's file or its ledger is damaged and has to be restored by hand."""


class LedgerIncomplete(WarehouseDamaged):
    """Tables or columns of `_orgdata` are missing; `orgdata doctor --fix` adds them."""
