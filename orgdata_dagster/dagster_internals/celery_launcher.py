"""A run launcher for Celery on an instance where not every run is a Celery task.

Here: `OrgdataCeleryRunLauncher`, which deploy/celery/dagster.yaml names. Keep out: finding runs whose process died
(orchestration/instance/orphaned_runs.py).

Why: `CeleryRunLauncher` looks up the task of every run, and raises KeyError for a run of `orgdata pull`, which has no
task. It also fails a run whose task Redis has forgotten, although the run continues. Health checks are a private part
of Dagster.
Fallback: name `dagster_celery.launcher.CeleryRunLauncher` in dagster.yaml. The daemon then logs that KeyError every
two minutes, and does not enforce `max_runtime_seconds` on such a run.
"""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG


class OrgdataCeleryRunLauncher(CeleryRunLauncher):
    """CeleryRunLauncher that accepts runs without a task, and fails a run only if its task has certainly failed."""

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED if Celery reports a failure, else RUNNING: the run's claim shows whether its process is alive."""
        if DAGSTER_CELERY_TASK_ID_TAG in run.tags:
            found = super().check_run_worker_health(run)
            if found.status == WorkerStatus.FAILED:
                return found
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def terminate(self, run_id: str) -> bool:
        """Request the worker to end a run; returns False for a run without a task, which only its process can end."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)  # as Dagster's other launchers do; run monitoring limits the time
        return bool(super().terminate(run_id))

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Celery's information about the run's task; None for a run without a task."""
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return None
        return super().get_run_worker_debug_info(run, include_container_logs)
