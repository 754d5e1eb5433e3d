"""A vendor's rows as a DataFrame, for users' own assets, scripts and notebooks. Nothing is stored.

Here: the parts that the method `rows` of every resource shares. Keep out: which rows are read (a vendor's resource.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orgdata_dagster import settings
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.warehouse.storage.scratch import owned_folder

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def scratch() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Yield a scratch connection and an empty folder for pages. Both are gone after the `with` block."""
    lent = WarehouseResource().open().scratch_connection()
    with owned_folder(settings.staging()) as folder, lent as connection:
        yield connection, folder


def frame(
    connection: duckdb.DuckDBPyConnection, pages: Sequence[MeasuredPage], columns: Sequence[str] = (), where: str = ""
) -> pd.DataFrame:
    """All rows of pages that have the same columns, every column as text.

    columns: the columns of the result if there are no rows.
    where: SQL condition on the rows.
    """
    import pandas as pd  # only here: it takes longer to import than a small pull does to run

    filled = [page.page for page in pages if page.records]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    condition = f" WHERE {where}" if where else ""
    return connection.execute(
        f"SELECT * EXCLUDE (_orgdata_file) FROM {filled[0].reading(filled).source}{condition}"
    ).df()


def utc(instant: datetime) -> datetime:
    """The instant in UTC; an instant without a zone counts as UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
