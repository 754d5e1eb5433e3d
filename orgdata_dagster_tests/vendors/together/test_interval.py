"""One request a minute and one at a time, by the server's own log: over threads, runs, crashes and restarts.

With a minute of one second; the sandbox counts every violation to the microsecond, without any slack.
"""

import itertools
import threading
import time
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.http.errors import RetriesExhausted
from orgdata_dagster.http.records import RequestRecord
from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.sandbox.faults import Slow, Status
from orgdata_dagster.sandbox.log import most_at_once
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.together.client import REPORTS
from orgdata_dagster.vendors.together.resource import TogetherLimits, TogetherResource
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.vendors.together.rig import running
from orgdata_dagster_tests.waiting import wait_until

MINUTE = 1.0


def gaps(sandbox: Sandbox) -> list[float]:
    """Seconds between the arrivals, in order."""
    return [new.arrived - old.arrived for old, new in itertools.pairwise(sandbox.log.entries())]


def check(sandbox: Sandbox) -> None:
    assert sandbox.together.limiter.violations == 0
    assert min(gaps(sandbox)) >= MINUTE
    assert most_at_once(sandbox.log.entries()) == 1
    # None: the client was killed before its answer
    assert {entry.status for entry in sandbox.log.entries()} <= {200, None}


def test_two_pulls_at_once_a_crash_and_a_restart(home: Home) -> None:
    with running(home, MINUTE) as sandbox:
        sandbox.together.faults.add(Slow(5))
        pulls = [home.start("pull", f"together/{table}") for table in ("users", "sessions")]
        wait_until(sandbox.log.entries, "a request")
        time.sleep(0.3)
        for pull in pulls:
            pull.kill_all()  # one has its request under way, the other one waits for it
        pulls = [home.start("pull", f"together/{table}", "--accept-shrink") for table in ("users", "sessions")]
        assert [pull.wait().status for pull in pulls] == [0, 0]
        assert len(sandbox.log.entries()) == 3
        check(sandbox)
        with home.instance() as instance:
            ended = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
        assert [run.tags[ACCEPT_SHRINK_TAG] for run in ended] == ["true", "true"]


def test_queued_requests_lose_little_of_the_minute(home: Home, tmp_path: Path) -> None:
    """All reports share one rate limit, and a retry waits for its turn too. Of a real minute, 5 % would be 3 s."""
    with (
        running(home, MINUTE) as sandbox,
        TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=MINUTE)).client() as client,
    ):
        began = time.monotonic()

        def ask(table: str) -> None:
            client.report(table, into=tmp_path / table, read=lambda _: None)

        threads = [threading.Thread(target=ask, args=(table,)) for table in (*REPORTS, "users")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        check(sandbox)
        assert len(sandbox.log.entries()) == 4
        assert sandbox.log.entries()[0].arrived - began >= MINUTE  # nobody knows what was before
        assert sorted(gaps(sandbox))[1] <= 1.15 * MINUTE  # the slack, which is 0.1 s at least, and waking up


def test_retries_grow_from_the_minute(home: Home, tmp_path: Path) -> None:
    minute = 0.3
    with (
        running(home, minute) as sandbox,
        TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=minute)).client() as client,
    ):
        sandbox.together.faults.add(Status(503, retry_after=0), times=2)
        client.report("users", into=tmp_path / "users", read=lambda _: None)
        first, second = gaps(sandbox)
        assert first >= minute
        assert second >= 2 * minute
        assert sandbox.together.limiter.violations == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_after_a_failure_no_other_report_is_requested_earlier(home: Home, tmp_path: Path, status: int) -> None:
    """The document limits the organisation, so the back-off applies to all its runs and processes."""
    minute = 0.2

    def ask(table: str) -> None:  # each is another process: nothing is shared but the home
        with TogetherResource.from_environment(
            limits=TogetherLimits(seconds_between_requests=minute), retries=Retries(attempts=1)
        ).client() as client:
            client.report(table, into=tmp_path / table, read=lambda _: None)

    with running(home, minute) as sandbox:
        sandbox.together.faults.add(Status(status), times=3)
        for table in REPORTS:
            with pytest.raises(RetriesExhausted):
                ask(table)
        ask("users")
        ask("users")
        first, second, third, after = gaps(sandbox)
        assert (first >= minute, second >= 2 * minute, third >= 4 * minute) == (True, True, True)
        assert after < 4 * minute  # an answer ends it; else it would be 8
        assert sandbox.together.limiter.violations == 0


@pytest.mark.parametrize("jump", ["gone", "corrupt"])
def test_a_rate_limit_that_was_lost_waits_a_minute(home: Home, tmp_path: Path, jump: str) -> None:
    minute = 0.3
    with running(home, minute) as sandbox:
        resource = TogetherResource.from_environment(limits=TogetherLimits(seconds_between_requests=minute))
        calls: list[RequestRecord] = []
        for _ in range(2):
            with resource.client(calls.append) as client:
                client.report("users", into=tmp_path / "users", read=lambda _: None)
            for path in (settings.home() / "rate_limits").glob("together.sqlite*"):
                path.unlink() if jump == "gone" else path.write_bytes(b"nonsense")
        assert min(call.waited for call in calls) >= minute
        assert sandbox.together.limiter.violations == 0


def test_outside_a_run_the_interval_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORGANIZATION_ID", "CLIENT_ID", "API_KEY"):
        monkeypatch.setenv(f"TOGETHER_{name}", "x")
    monkeypatch.setenv(settings.TEST_SERVER_PACE, "3")
    for url, seconds in (("http://127.0.0.1:8099/together", 3), ("https://api.togetherplatform.com", 60)):
        monkeypatch.setenv("TOGETHER_BASE_URL", url)
        for resource in (TogetherResource.from_variables(), TogetherResource.from_environment()):
            [[window]] = resource.rule().buckets
            assert window.seconds == seconds
