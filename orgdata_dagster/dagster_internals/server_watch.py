"""The interval at which the UI and the daemon check whether the code server was restarted.

Here: `watch_less`. Keep out: the intervals of sensors and schedules (dagster.yaml, the sensors).

Why: Dagster checks every second, through a proxy, which is a large part of the CPU time of an idle `orgdata dev`. With
this module a restarted code server is noticed within 5 s. Definitions that are reloaded in the UI appear at once.
Fallback: Dagster checks every second.
"""

from __future__ import annotations

import sys

from orgdata_dagster.dagster_internals import NotThere, private

_EVERY = 5  # seconds
_PROCESSES = {"dagster._daemon.cli", "dagster_webserver.cli"}  # no other process should take the time to import gRPC


def watch_less() -> bool:
    """Increase the interval in the daemon and the UI; returns whether it did. Call it before the first check."""
    if not _PROCESSES & sys.modules.keys():
        return False
    try:
        with private("interval of the code server's watch"):
            from dagster._grpc import server_watcher

            server_watcher.WATCH_INTERVAL = max(server_watcher.WATCH_INTERVAL, _EVERY)
    except NotThere:
        return False
    return True
