"""Modules of Dagster that every run needs and that Dagster imports only with the first instance and the first run.

Here: their names; nothing is imported. Keep out: modules of ours (cli/workers.py).

Why: imported before the workers are forked, they cost half a second once instead of once per worker.
Fallback: a module that a later Dagster does not have is passed over, and each worker imports its own.
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
