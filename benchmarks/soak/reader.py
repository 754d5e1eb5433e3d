"""A heavy reader, like a notebook: it sorts a table again and again until it is told to stop.

python reader.py TABLE FILE      ends with status 0 when FILE exists
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.errors import WarehouseUnavailable

HEAVY = "select {columns} from {table} order by md5(id::varchar || note), updated_date"


def main() -> None:
    table, enough = sys.argv[1], Path(sys.argv[2])
    schema, _, name = table.partition(".")
    reads = 0
    while not enough.exists():
        time.sleep(0.2)
        try:
            found = WarehouseResource().query(
                f"select * from information_schema.columns where table_schema = '{schema}' and table_name = '{name}' "
                "and column_name = 'id'"
            )
            if len(found):
                rows = WarehouseResource().query(HEAVY.format(columns="id, note, updated_date", table=table))
                reads += len(rows) > 0
        except WarehouseUnavailable:  # nothing has landed yet
            continue
    print(reads)


if __name__ == "__main__":
    main()
