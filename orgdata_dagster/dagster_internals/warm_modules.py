"""Modules of Dagster that every run needs, but that Dagster imports only with the first instance or run.

Here: their names; nothing is imported. Keep out: our own modules (cli/workers.py).

Why: imported before the workers are forked, they cost half a second once instead of once per worker.
Fallback: a module that Dagster does not have is skipped, and each worker imports what it needs.
"""

MODULES = (
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.root",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.execution.execute_in_process",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.defs_state.blob_storage_state_storage",
)
