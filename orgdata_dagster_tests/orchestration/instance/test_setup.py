"""The instance that the command line and the UI share follows the project's dagster.yaml."""

from pathlib import Path

from orgdata_dagster.orchestration.instance import setup
from orgdata_dagster_tests.dagster_internals.for_tests import QueuedRunCoordinator
from orgdata_dagster_tests.integration.home import Home


def test_runs_start_in_parallel_up_to_the_limit_and_only_log_their_own_events(home: Home) -> None:
    with home.instance() as instance:
        coordinator = instance.run_coordinator
        assert isinstance(coordinator, QueuedRunCoordinator)
        assert coordinator.dequeue_use_threads  # one after the other, a tick's last run would wait for a minute
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 8
        assert instance.python_log_level == "INFO"
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled


def test_the_dagster_yaml_of_an_installed_package_is_written_once() -> None:
    """It is a link, which an editor or a script may replace by a copy that nobody keeps up to date."""
    own = Path(setup.__file__).with_name("dagster.yaml")
    assert own.is_symlink()
    assert own.samefile(Path(setup.__file__).parents[3] / "dagster.yaml")
