"""A process that reads a table again and again while others write.

Here: the loop. Keep out: assertions; it prints what it has read.
"""

import json
import sys
import time
from collections import defaultdict

from orgdata_dagster import settings
from orgdata_dagster.orchestration import opening
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import TableName


def main() -> None:
    """Read until there is a file `enough` in the home; print the number of reads, the duplicates, and a day's sizes."""
    table = TableName("institution_analytics", sys.argv[1])
    warehouse = opening.warehouse()
    reads = duplicates = 0
    sizes: defaultdict[str, set[int]] = defaultdict(set)
    last = False
    while not last:
        time.sleep(0.05)  # as a busy dashboard; without it the reader would only keep the processor from the others
        last = (settings.home() / "enough").exists()
        if not warehouse.exists:
            continue
        with warehouse.reading() as connection:
            if "id" not in table_columns(connection, table):
                continue
            rows = connection.execute(
                f"SELECT _orgdata_partition, count(*), count(DISTINCT id) FROM {table.sql} GROUP BY ALL"
            ).fetchall()
        reads += 1
        for day, count, distinct in rows:
            duplicates += count - distinct
            sizes[day].add(count)
    print(json.dumps({"reads": reads, "duplicates": duplicates, "sizes": {d: sorted(s) for d, s in sizes.items()}}))  # noqa: T201
