"""Together's sandbox with a short minute, and a home whose project knows it.

What lives here: what the tests of the vendor start from.
Add here when: two of them need it.
Keep out: assertions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import yaml

from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.together import demo, document_limits
from orgdata_dagster_tests.integration.home import Home

MINUTE = 0.05  # seconds: short where a test is not about time


def project(seconds: float = MINUTE, **attributes: Any) -> str:
    """The defs.yaml of the tests."""
    usual = {
        "limits": {"seconds_between_requests": seconds},
        "retries": {"attempts": 2},
        "keys": {"users": ["User ID"], "pairings": ["Pairing ID"]},
    }
    return yaml.safe_dump({"type": "orgdata_dagster.Together", "attributes": usual | attributes})


@contextmanager
def running(home: Home, seconds: float = MINUTE) -> Iterator[Sandbox]:
    """A sandbox that enforces the limit; home's project and variables point at it."""
    with Sandbox(demo(limits=document_limits(seconds))) as sandbox:
        home.write_project(together=project(seconds))
        home.set(**environment(sandbox.url))
        yield sandbox


def failed(result: dg.ExecuteInProcessResult) -> str:
    """The one failed step's words; fails if there is not exactly one."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)
