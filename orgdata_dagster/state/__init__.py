"""Shared state: data and locks that the processes of a project share, apart from the warehouse and Dagster's storage.

Here: the names that other packages use, and `open_state`, which chooses a store. The modules: interface.py (the
interface of a store), files.py (the store of one machine) with its parts sqlite_tables.py and file_lock.py, postgres/
(the store of several machines), postgres_address.py (the address of a database), processes.py (the identity of a
process).
Add here when: another package needs one more name.
Keep out: what is shared (rate limits, circuit breakers, claims on runs), and the store's address (settings.py).
"""

from pathlib import Path

from orgdata_dagster.state.file_lock import StillHeld
from orgdata_dagster.state.files import FileState
from orgdata_dagster.state.interface import (
    Held,
    Holder,
    Notes,
    State,
    StateUnavailable,
    StoreClock,
    Tables,
    Transaction,
)

__all__ = [
    "FileState",
    "Held",
    "Holder",
    "Notes",
    "State",
    "StateUnavailable",
    "StillHeld",
    "StoreClock",
    "Tables",
    "Transaction",
    "open_state",
]


def open_state(uri: str | None, folder: Path) -> State:
    """Open the state in the database of this URI; without a URI, in files in the folder. Raises StateUnavailable."""
    if uri is None:
        return FileState(folder)
    try:
        from orgdata_dagster.state.postgres import postgres_state
    except ImportError as error:
        raise StateUnavailable(
            f"ORGDATA_STATE is a PostgreSQL database, for which {error.name or 'psycopg'} is missing. "
            "Install it with: pip install 'orgdata[postgres]'"
        ) from None
    return postgres_state(uri)
