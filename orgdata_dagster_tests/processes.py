"""The server from which tests fork their processes. It has imported everything once.

Here: `PROCESSES`, the multiprocessing context of all tests, and the modules that its server imports.
Add here when: a process of a test imports a large module before it begins.
Keep out: what these processes do; anything that opens a file or a database, because it does not survive a fork.

multiprocessing has one such server per process, with one list of modules. If two modules of tests set a list, the last
one wins, and every command of the other one starts two seconds later.
"""

import multiprocessing

from orgdata_dagster import component_types
from orgdata_dagster.cli.workers import WARM

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        *WARM,
        "orgdata_dagster.cli.loaded_project",
        "orgdata_dagster.cli.pull",
        "orgdata_dagster.cli.status_report",
        "orgdata_dagster.overview.table_statuses",
        *(f"orgdata_dagster.vendors.{vendor}.component" for vendor in component_types()),  # a load has them all
        "orgdata_dagster.cli.sync",
        "orgdata_dagster.vendors.octolis.sync.component",
        "orgdata_dagster_tests.integration.command",
        "orgdata_dagster_tests.warehouse.worker",
    ]
)
