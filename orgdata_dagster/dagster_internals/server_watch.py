"""How often the UI and the daemon ask the code server whether it is still the same.

Here: `watch_less`. Keep out: how often the daemon looks at sensors and schedules (dagster.yaml, the sensors).

Why: Dagster asks every second, and through a proxy, which is a good part of what an idle `orgdata dev` uses. With this
a code server that was restarted is noticed within 5 s; definitions that are reloaded in the UI are there at once.
Fallback: Dagster asks every second.
"""

from __future__ import annotations

import sys

from orgdata_dagster.dagster_internals import NotThere, private

_EVERY = 5  # seconds
_ASKING = {"dagster._daemon.cli", "dagster_webserver.cli"}  # no other process should take the time to import gRPC


def watch_less() -> bool:
    """Ask less often, if this is the daemon or the UI; returns whether it does. Call it before the first question."""
    if not _ASKING & sys.modules.keys():
        return False
    try:
        with private("interval of the code server's watch"):
            from dagster._grpc import server_watcher

            server_watcher.WATCH_INTERVAL = max(server_watcher.WATCH_INTERVAL, _EVERY)
    except NotThere:
        return False
    return True
