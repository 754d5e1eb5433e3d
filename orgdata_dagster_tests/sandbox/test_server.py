import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from orgdata_dagster.sandbox.institution_analytics import DataSet, InstitutionAnalytics
from orgdata_dagster.sandbox.institution_analytics.api import DEFAULT_KEY
from orgdata_dagster.sandbox.limits import UNLIMITED, Limits, Rule, Window
from orgdata_dagster.sandbox.log import most_at_once
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.sandbox.reading import ask, connect
from orgdata_dagster_tests.waiting import PATIENCE, wait_until

ROW = {"id": "1", "revision": "1", "updated_date": "2026-03-01T00:00:00Z"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(InstitutionAnalytics([DataSet("users", ROW, [ROW])], limits=UNLIMITED)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with connect(sandbox) as client:
        yield client


def test_it_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    vendor = InstitutionAnalytics([DataSet("users", ROW)], on_request=lambda _: None)
    with Sandbox(vendor) as sandbox, connect(sandbox) as client:
        assert ask(client, "users").status_code == 200
    assert set(threading.enumerate()) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url)


def test_without_vendors_given_all_are_there_with_demo_data() -> None:
    with Sandbox() as sandbox:
        assert {"users", "courses", "events"} == set(sandbox.institution_analytics.data_sets)
        truth = httpx.get(f"{sandbox.url}/_sandbox/truth/institution_analytics/users", verify=False).json()
        assert truth == sandbox.institution_analytics.truth("users")
        assert httpx.get(f"{sandbox.url}/_sandbox/truth/institution_analytics/none", verify=False).status_code == 404
        assert httpx.get(f"{sandbox.url}/_sandbox/truth/nobody/users", verify=False).status_code == 404


def test_the_log_has_every_request_and_no_secret(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.institution_analytics.secret_params = frozenset({"token"})  # type: ignore[misc]
    response = ask(client, "users", updated_after="2026-02-01T00:00:00Z", token="canary")
    ask(client, "none")
    client.get("/institution_analytics/elsewhere")
    good, bad, lost = client.get("/_sandbox/log", params={"vendor": "institution_analytics"}).json()
    assert good["request_id"] == response.headers["x-request-id"]
    assert good["endpoint"] == "/analytics"
    assert good["query"] == {"data_set": "users", "updated_after": "2026-02-01T00:00:00Z", "token": "***"}
    assert (good["status"], good["rows"], good["bytes"], good["cost"]) == (200, 1, len(response.content), 1)
    assert abs(good["at"] - time.time()) < 60
    assert good["arrived"] <= good["finished"] <= time.monotonic()
    assert (bad["status"], bad["rows"], lost["status"]) == (400, None, 404)
    assert [e.status for e in sandbox.log.entries(statuses=[400, 404])] == [400, 404]


def test_a_bug_in_the_sandbox_is_in_the_log(sandbox: Sandbox, client: httpx.Client) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("broken hook")

    sandbox.institution_analytics.on_request = broken
    assert ask(client, "users").status_code == 500
    # The framework answers 500 first and raises then, so the client may be here before the log is written.
    wait_until(lambda: sandbox.log.entries()[0].error)
    assert sandbox.log.entries()[0].error == "RuntimeError('broken hook')"


def test_limits_are_enforced_with_retry_after_and_violations_counted() -> None:
    vendor = InstitutionAnalytics([DataSet("users", ROW)], limits=Limits(rules=(Rule((Window(2, 60),)),)))
    with Sandbox(vendor) as sandbox, connect(sandbox, "wrong") as client:
        assert ask(client, "users").status_code == 401  # not a request of any key: charged to none
        client.headers["api-key"] = DEFAULT_KEY
        statuses = [ask(client, "users").status_code for _ in range(2)]
        refused = ask(client, "users")
    assert (statuses, refused.status_code) == ([200, 200], 429)
    assert 58 <= int(refused.headers["retry-after"]) <= 60
    assert vendor.limiter.violations == 1


def test_a_revoked_key_gets_401() -> None:
    limits = Limits(rules=(Rule((Window(1, 60),)),), revoke_after=1)
    vendor = InstitutionAnalytics([DataSet("users", ROW)], limits=limits)
    with Sandbox(vendor) as sandbox, connect(sandbox) as client:
        assert [ask(client, "users").status_code for _ in range(4)] == [200, 429, 401, 401]


def test_more_at_once_than_allowed_are_refused() -> None:
    inside, go = threading.Semaphore(0), threading.Event()

    def hold(_: object) -> None:
        inside.release()
        go.wait(10)

    vendor = InstitutionAnalytics([DataSet("users", ROW)], limits=Limits(at_once=2), on_request=hold)
    with Sandbox(vendor) as sandbox, connect(sandbox) as client:
        held = [threading.Thread(target=ask, args=(client, "users")) for _ in range(2)]
        for thread in held:
            thread.start()
            assert inside.acquire(timeout=10)
        assert ask(client, "users").status_code == 429
        go.set()
        for thread in held:
            thread.join()
        assert ask(client, "users").status_code == 200
        assert most_at_once(sandbox.log.entries(statuses=[200])) == 2


def test_serve_runs_until_sigterm() -> None:
    code = "from orgdata_dagster.sandbox.server import serve; serve(announce=lambda url: print(url, flush=True))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            # it is announced before the vendors' data are there, which take seconds of a busy machine
            url = process.stdout.readline().decode().strip()
            with httpx.Client(base_url=f"{url}/_sandbox/institution_analytics", timeout=PATIENCE) as client:
                assert client.post("users/touch", params={"n": 3}).json() == {"touched": 3}
                assert client.post("none/touch").status_code == 404
            os.kill(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_answers_on_a_kept_connection_do_not_wait_for_an_ack(client: httpx.Client) -> None:
    """Without TCP_NODELAY each answer took 40 ms; asyncio sets it only on sockets that name their protocol."""

    def seconds() -> float:
        started = time.monotonic()
        ask(client, "users")
        return time.monotonic() - started

    # 2 ms each, on a busy machine now and then more; always 40 ms with the delay
    assert sorted(seconds() for _ in range(50))[9] < 0.03
