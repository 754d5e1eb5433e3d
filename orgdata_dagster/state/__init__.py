"""Shared state: what the processes of a project have in common besides the warehouse and Dagster's storage.

Here: the names that other packages use. `open_state` chooses a store. interface.py: what a store can
do; files.py: the store of one machine, sqlite_tables.py and file_lock.py: its parts; postgres/: the store of several
machines; processes.py: the identity of a process.
Add here when: another package needs one more name.
Keep out: what is shared (rate limits, circuit breakers, claims on runs), and where the store is (settings.py).
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
    """The state in the database of this URI; without one, in files in the folder. Raises StateUnavailable."""
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
