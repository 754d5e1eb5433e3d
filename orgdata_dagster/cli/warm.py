"""What the workers' server imports before it forks, so that no worker has to: seconds each, where nothing is compiled.

Here: imports that Dagster and the clients put off until a run, and the project's definitions. Add here: what a profile
of a worker's first second shows. Keep out: whatever opens a file or starts a thread; neither survives a fork.

For the server alone; nothing else imports this module.
"""

from contextlib import suppress
from importlib import import_module

from orgdata_dagster.cli import workers

for _module in (
    "dagster._core.storage.defs_state.blob_storage_state_storage",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.runs.sqlite",
    "httpcore",
    "orgdata_dagster.orchestration.event_log",
):
    import_module(_module)
with suppress(Exception):  # a worker meets the same error, and tells the user
    workers.load_catalog()
