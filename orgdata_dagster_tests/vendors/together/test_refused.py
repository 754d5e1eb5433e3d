"""401 may mean that the key was revoked: nobody asks again, by whatever way, until a person says so."""

from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.together.rig import Runs, failed

CANARY = "canary-key-0815"


def test_one_request_and_then_nobody_asks(sandbox: Sandbox, runs: Runs) -> None:
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


def test_on_the_command_line_and_the_key_is_nowhere(home: Home, sandbox: Sandbox) -> None:
    home.set(TOGETHER_API_KEY=CANARY)
    done = home.orgdata("pull", "together")
    assert done.status == 1
    assert done.err.count("may have been revoked") == 3
    assert done.err.count("no request was sent: on 2") == 2
    shown = home.orgdata("doctor")
    assert shown.status == 1
    assert "points spent in 0.05 s, 1 at a time" in shown.out
    assert "STOPPED: on 2" in shown.out

    assert home.orgdata("doctor", "--clear", "togehter").err.strip().endswith("there are: together")
    cleared = home.orgdata("doctor", "--clear", "together")
    assert cleared.status == 0
    assert "may be asked again" in cleared.out
    assert "are the same ones" in cleared.out
    assert len(sandbox.log.entries()) == 1  # the doctor asks nobody
    sandbox.together.api_key = CANARY
    assert home.orgdata("pull", "together/users", "--accept-shrink").status == 0
    assert [path for path, content in home.everything() if CANARY.encode() in content] == []
