"""The project's shared state, as the environment configures it.

Here: `shared_state`. Keep out: the stores (state/), anything that needs Dagster.
"""

from __future__ import annotations

import os

from orgdata_dagster import settings
from orgdata_dagster.http import redaction
from orgdata_dagster.state import State, open_state


def shared_state() -> State:
    """The store in which processes share rate limits, circuit breakers, locks and claims.

    Raises SettingsError or StateUnavailable.
    """
    uri = settings.state_uri()
    state = open_state(uri, settings.home())
    if uri is not None:
        redaction.register(*state.secrets, os.environ.get("PGPASSWORD", ""))
    return state
