"""A vendor's rows as a DataFrame, straight from the vendor: for assets, scripts and notebooks of a user's own.

Here: what every resource's `rows` shares. Keep out: which rows (a vendor's resource.py). Nothing here is stored.
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
    """A connection beside the warehouse and an empty folder for pages, until the context ends."""
    lent = WarehouseResource().open().scratch_connection()
    with owned_folder(settings.staging()) as folder, lent as connection:
        yield connection, folder


def frame(
    connection: duckdb.DuckDBPyConnection, pages: Sequence[MeasuredPage], columns: Sequence[str] = (), where: str = ""
) -> pd.DataFrame:
    """All rows of some pages of one shape, each column as text. Without rows: no rows of `columns`.

    `where`: an SQL condition that a row must meet.
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
    """The instant in UTC; one without a zone is taken to be UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
