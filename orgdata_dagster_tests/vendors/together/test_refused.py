"""401 may mean that the key was revoked: no process sends another request until a user resets the circuit breaker."""

import re
from io import StringIO

import pytest
from rich.console import Console

from orgdata_dagster.cli.doctor import Opened, clear, examine, show
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.together.rig import Runs, failed

CANARY = "canary-key-0815"


def test_one_request_and_then_no_process_sends_another(sandbox: Sandbox, runs: Runs) -> None:
    (wanted,) = runs.tick().run_requests
    assert (wanted.partition_key, len(wanted.asset_selection)) == (today(), 3)
    sandbox.together.api_key = "a new one"
    first = runs.materialize("together/users")
    assert "may have been revoked" in failed(first)
    sandbox.together.api_key = "sandbox-key"
    second = runs.materialize("together/sessions")
    assert "no request was sent: on 2" in failed(second)
    assert runs.max_retries(first) == runs.max_retries(second) == "0"
    skipped = runs.tick()
    assert skipped.run_requests == []
    assert "orgdata doctor --clear together" in skipped.skip_message
    assert len(sandbox.log.entries()) == 1


def test_the_doctor_shows_it_and_clears_it(home: Home, sandbox: Sandbox) -> None:
    """The key appears nowhere: not in events, logs, the warehouse or the circuit breaker."""
    home.set(TOGETHER_API_KEY=CANARY)
    out = StringIO()
    with home.instance() as instance:
        runs = Runs(instance)
        assert "may have been revoked" in failed(runs.materialize("together/users"))
        assert not show(Console(file=out, width=200), examine(Opened(LoadedProject(runs.defs), instance), ask=True))
        assert re.search(
            r"^ok    together: [01] of 1 point spent in 0.05 s, 1 concurrent request$", out.getvalue(), re.MULTILINE
        )
        assert "STOPPED: on 2" in out.getvalue()
        with pytest.raises(UserError, match="unknown vendor 'togehter'; known: together"):
            clear(LoadedProject(runs.defs), "togehter")
        cleared = clear(LoadedProject(runs.defs), "together")
        assert "are allowed again: on 2" in cleared
        assert "are the same as then" in cleared
        assert "no circuit breaker" in clear(LoadedProject(runs.defs), "together")
        assert len(sandbox.log.entries()) == 1  # the doctor asks nobody
        sandbox.together.api_key = CANARY
        assert runs.materialize("together/users").success
    assert [path for path, content in home.everything() if CANARY.encode() in content] == []
