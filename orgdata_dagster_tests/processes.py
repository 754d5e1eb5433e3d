"""The server that tests fork their processes from: it has imported everything once.

What lives here: `PROCESSES`, the one multiprocessing context of all tests, and what its server imports.
Add here when: a process that a test starts imports something of weight before it gets to its work.
Keep out: what those processes do; anything that opens a file or a database, which no fork survives.

One place for all, since multiprocessing has one such server a process and one list for it: where two modules each set
a list, the last one counts, and every command of the other starts cold, two seconds later.
"""

import multiprocessing

from orgdata_dagster.cli.workers import WARM

_VENDORS = ("accutics", "channel_reports", "institution_analytics", "octolis", "together")  # a load has them all

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        *WARM,
        "orgdata_dagster.cli.catalog",
        "orgdata_dagster.cli.pull",
        "orgdata_dagster.cli.status_report",
        "orgdata_dagster.overview.tables",
        *(f"orgdata_dagster.vendors.{vendor}.component" for vendor in _VENDORS),
        "orgdata_dagster.cli.sync",
        "orgdata_dagster.vendors.octolis.sync.component",
        "orgdata_dagster_tests.integration.command",
        "orgdata_dagster_tests.warehouse.worker",
    ]
)
