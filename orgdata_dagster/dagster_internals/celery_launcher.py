"""A run launcher for Celery on an instance where not every run is a Celery task.

Here: `OrgdataCeleryRunLauncher`, which deploy/celery/dagster.yaml names. Keep out: finding runs whose process died
(orchestration/instance/orphaned_runs.py).

Why: `CeleryRunLauncher` looks up the task of every run, and raises KeyError for a run of `orgdata pull`, which has
none. It also fails a run whose task Redis has forgotten, although the run goes on. Health is a private part of Dagster.
Fallback: name `dagster_celery.launcher.CeleryRunLauncher` in dagster.yaml. The daemon then logs that KeyError every
two minutes, and does not enforce `max_runtime_seconds` on such a run.
"""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG


class OrgdataCeleryRunLauncher(CeleryRunLauncher):
    """CeleryRunLauncher, but a run without a task is no error, and only a task known to have failed fails its run."""

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED if Celery says so; otherwise RUNNING: whether the process is alive is known from the run's claim."""
        if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
            found = super().check_run_worker_health(run)
            if found.status == WorkerStatus.FAILED:
                return found
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def terminate(self, run_id: str) -> bool:
        """Ask the worker to end a run; False for a run that is not Celery's, which only its own process can end."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)  # Dagster's other launchers do; run monitoring then bounds the time
        return bool(super().terminate(run_id))

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """What Celery knows about the run's task; None if there is none."""
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return None
        return super().get_run_worker_debug_info(run, include_container_logs)
