"""Shared state: what the processes of a project have in common besides the warehouse and Dagster's storage.

Here: the names that other packages use. interface.py: what a store can do; files.py: the store of one machine;
sqlite_tables.py and file_lock.py: its parts; processes.py: the identity of a process.
Add here when: another package needs one more name.
Keep out: what is shared (rate limits, circuit breakers, claims on runs), and where the store is (settings.py).
"""

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
]
