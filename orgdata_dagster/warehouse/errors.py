"""What can go wrong on the way into the warehouse, named by how one recovers.

Here: exceptions only. Add here when a caller must tell two failures apart. Keep out: HTTP and Dagster.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Base of all: one line that says what, where and what to do."""


class UnreadablePage(WarehouseError):
    """A page is not what it claims to be (cut short, wrong column count, no instant in the cursor column).

    Asking the vendor again may help; the page is never data.
    """


class RecordTooLarge(WarehouseError):
    """One record is larger than the readers take; asking again does not help."""


class MemoryShort(WarehouseError):
    """The work needs more memory than it may have, even alone, on one thread and with spilling; nothing was changed."""


class ContractViolation(WarehouseError):
    """The data set is frozen and its columns changed; the old partition stays in place."""


class Refused(WarehouseError):
    """The data set's own rules forbid to store what came; the old partition stays in place."""


class UnknownColumns(Refused):
    """A person configured names of columns that do not exist; the old partition stays in place.

    `keys`: one of them is of the key.
    """

    def __init__(self, message: str, *, keys: bool = False) -> None:
        super().__init__(message)
        self.keys = keys


class KeysViolated(Refused):
    """Rows cannot be told apart by the data set's key; the old partition stays in place."""


class RowCountMismatch(WarehouseError):
    """The database read another number of rows than the pages hold; nothing was committed."""


class WarehouseUnavailable(WarehouseError):
    """The warehouse cannot be opened or written now: not there yet, no room, no permission. Later it may work."""


class WarehouseHeld(WarehouseUnavailable):
    """Another process has the warehouse and did not let go of it in time."""


class WarehouseDamaged(WarehouseError):
    """The warehouse's file, or the ledger in it, is not what it has to be; a person has to restore it."""


class LedgerIncomplete(WarehouseDamaged):
    """Tables or columns of `_orgdata` are gone; `orgdata doctor --fix` adds them."""
