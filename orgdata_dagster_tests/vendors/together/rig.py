"""Together's sandbox with a short interval, a home whose project uses it, and runs without the rest of the project.

Here: the shared parts of the vendor's tests. Add here when: two tests need it. Keep out: assertions.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import yaml

from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.together import demo, document_limits
from orgdata_dagster.vendors.together.component import Together
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.loading import loaded
from orgdata_dagster_tests.ticks import tick_schedule

MINUTE = 0.05  # seconds: short where a test is not about time
TABLES = [{"name": "users", "key": ["User ID"]}, {"name": "pairings", "key": ["Pairing ID"]}, {"name": "sessions"}]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def attributes(seconds: float = MINUTE, **others: Any) -> dict[str, Any]:
    """The YAML of the tests."""
    usual = {
        "limits": {"seconds_between_requests": seconds},
        "retries": {"attempts": 2},
        "tables": TABLES,
    }
    return usual | others


@contextmanager
def running(home: Home, seconds: float = MINUTE) -> Iterator[Sandbox]:
    """A sandbox that enforces the limit; home's project and variables point at it."""
    with Sandbox(demo(limits=document_limits(seconds))) as sandbox:
        home.write_project(
            together=yaml.safe_dump({"type": "orgdata_dagster.Together", "attributes": attributes(seconds)})
        )
        home.set(**environment(sandbox.url))
        shared_state().notes("first_days").add("together", today(back=30))  # as if snapshots had landed since then
        yield sandbox


class Runs:
    """Runs of the vendor's assets on a separate instance, because loading all vendors for each would take seconds."""

    def __init__(self, instance: dg.DagsterInstance | None = None, **others: Any) -> None:
        self.defs = loaded(Together, attributes(**others))
        self.instance = instance or in_memory()

    def materialize(
        self, asset: str, first: str | None = None, last: str | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run an asset for days (default: today)."""
        first, last = first or today(), last or first or today()
        return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset.split("/"))],
            tags={RANGE_START: first, RANGE_END: last, **(tags or {})},
            raise_on_error=False,
            run_config=QUIET,
        )

    def tick(self) -> Any:
        """The run requests of the schedule."""
        schedule = self.defs.get_repository_def().get_schedule_def("together_due")
        with dg.instance_for_test() as instance:  # an ephemeral one cannot be asked for runs that wait
            return tick_schedule(instance, self.defs, schedule)

    def failed_checks(self, result: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
        """The checks that did not pass; from the events, because the result lacks those of a failed step."""
        logged = self.instance.get_records_for_run(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        events = [record.event_log_entry.dagster_event for record in logged.records]
        checks = [event.asset_check_evaluation_data for event in events if event]
        return [check for check in checks if not check.passed]

    def max_retries(self, result: dg.ExecuteInProcessResult) -> str | None:
        """How often Dagster would run this again; None: its default."""
        run = self.instance.get_run_by_id(result.run_id)
        assert run is not None
        return run.tags.get("dagster/max_retries")


def failed(result: dg.ExecuteInProcessResult) -> str:
    """The message of the one failed step; fails if there is not exactly one."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)
