"""Saying in the log of a run and on the terminal what its requests wait for, and until when.

Here: `waits_told`, and `tell` for other waits of a step. Add here: another place where a person should see a wait.
Keep out: waiting (http/), and what other parts of a run wait for (instance/pool_waits.py, warehouse/).
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

# The log tells waits of at least so many seconds, and of the same reason one in so many.
_LOGGED = 5.0
_APART = 60.0


def tell(context: dg.AssetExecutionContext, what: str) -> None:
    """Say in the run's log and to whoever watches the run what it waits for, besides its requests."""
    context.log.warning(what)
    report(Waiting(context.asset_key.to_user_string(), what))


@contextmanager
def waits_told(context: dg.AssetExecutionContext, vendor: str) -> Iterator[None]:
    """Report every wait for this vendor that begins inside the context, and log the long ones."""
    asset = context.asset_key.to_user_string()
    lock = threading.Lock()
    logged: dict[str, float] = {}

    def is_news(wait: Wait) -> bool:
        with lock:
            if (wait.seconds or _LOGGED) < _LOGGED or time.monotonic() - logged.get(wait.reason, -_APART) < _APART:
                return False
            logged[wait.reason] = time.monotonic()
            return True

    def tell_wait(wait: Wait) -> None:
        if wait.vendor == vendor:
            report(Waiting(asset, str(wait)))
            if is_news(wait):
                context.log.info(f"{asset}: {wait}")

    with waiting.watch(tell_wait):
        yield
