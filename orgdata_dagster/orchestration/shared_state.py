"""The project's shared state, as the environment configures it.

Here: `shared_state`. Keep out: the stores (state/), anything that needs Dagster.
"""

from __future__ import annotations

from orgdata_dagster import settings
from orgdata_dagster.state import FileState, State


def shared_state() -> State:
    """The store in which processes share rate limits, circuit breakers, locks and claims."""
    return FileState(settings.home())
