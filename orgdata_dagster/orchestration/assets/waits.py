"""Reporting the waits of a step in the run's log and in the terminal.

Here: `reporting_waits` for requests, and `report_wait` for other waits. Add here when: users should see a wait in
another place. Keep out: the waits themselves (http/, instance/blocked_steps.py, warehouse/).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orgdata_dagster.http import waiting
from orgdata_dagster.http.waiting import Wait
from orgdata_dagster.orchestration.assets.progress import Waiting, report

# The log contains waits of at least _LOGGED seconds, and one per reason in _APART seconds.
_LOGGED = 5.0
_APART = 60.0


def report_wait(context: dg.AssetExecutionContext, what: str) -> None:
    """Report a wait in the run's log and in the terminal. `what`: the reason as a clause."""
    context.log.warning(what)
    report(Waiting(context.asset_key.to_user_string(), what))


@contextmanager
def reporting_waits(context: dg.AssetExecutionContext, vendor: str) -> Iterator[None]:
    """Report every wait for this vendor that starts in the context, and log the long ones."""
    asset = context.asset_key.to_user_string()
    lock = threading.Lock()
    logged: dict[str, float] = {}

    def is_news(wait: Wait) -> bool:
        with lock:
            if (wait.seconds or _LOGGED) < _LOGGED or time.monotonic() - logged.get(wait.reason, -_APART) < _APART:
                return False
            logged[wait.reason] = time.monotonic()
            return True

    def on_wait(wait: Wait) -> None:
        if wait.vendor == vendor:
            report(Waiting(asset, str(wait)))
            if is_news(wait):
                context.log.info(f"{asset}: {wait}")

    with waiting.watch(on_wait):
        yield
