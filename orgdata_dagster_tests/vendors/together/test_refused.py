"""401 may mean that the key was revoked: nobody asks again, by whatever way, until a person says so."""

from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.cli import catalog
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.vendors.together.rig import failed


def tick(home: Home) -> dg.ScheduleEvaluationContext | object:
    schedule = catalog.load().defs.get_schedule_def("together_due")
    with home.instance() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC))
        return schedule.evaluate_tick(context)


def test_one_request_and_then_nobody_asks(home: Home, sandbox: Sandbox) -> None:
    (wanted,) = tick(home).run_requests  # type: ignore[attr-defined]
    assert (wanted.partition_key, len(wanted.asset_selection)) == (today(), 3)

    sandbox.together.api_key = "a new one"
    done = home.orgdata("pull", "together")
    assert done.status == 1
    assert done.err.count("may have been revoked") == 3
    assert done.err.count("no request was sent: on 2") == 2
    sandbox.together.api_key = "sandbox-key"
    result = home.materialize("together/users")
    assert "no request was sent" in failed(result)
    with home.instance() as instance:
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        assert run.tags["dagster/max_retries"] == "0"
    skipped = tick(home)
    assert skipped.run_requests == []  # type: ignore[attr-defined]
    assert "may have been revoked" in skipped.skip_message  # type: ignore[attr-defined]
    assert len(sandbox.log.entries()) == 1

    shown = home.orgdata("doctor")
    assert shown.status == 1
    assert "STOPPED: on 2" in shown.out
    cleared = home.orgdata("doctor", "--clear", "together")
    assert cleared.status == 0
    assert "together may be asked again" in cleared.out
    assert "are the same ones" in cleared.out
    assert len(sandbox.log.entries()) == 1
    assert home.materialize("together/users").success


def test_the_key_is_nowhere(home: Home, sandbox: Sandbox) -> None:
    home.set(TOGETHER_API_KEY="canary-key-0815")
    assert home.orgdata("pull", "together/users").status == 1
    sandbox.together.api_key = "canary-key-0815"
    assert home.orgdata("doctor", "--clear", "together").status == 0
    assert home.orgdata("pull", "together/users").status == 0
    assert [path for path, content in home.everything() if b"canary-key-0815" in content] == []


def test_doctor_knows_no_such_vendor(home: Home, sandbox: Sandbox) -> None:  # noqa: ARG001
    done = home.orgdata("doctor", "--clear", "togehter")
    assert done.status == 2
    assert done.err.strip() == "orgdata: there is no vendor 'togehter'; there are: together"
    assert "there was no stop sign" in home.orgdata("doctor", "--clear", "together").out
    assert "0 of 1 points spent in 0.05 s, 1 at a time" in home.orgdata("doctor").out
