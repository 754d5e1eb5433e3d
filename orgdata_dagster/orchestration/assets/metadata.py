"""The metadata of a materialization, which the UI shows.

Here: metadata of a partition and of the whole table. Add here when: the UI should show another figure.
Keep out: computing the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import dagster as dg
import duckdb

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.committed import Committed
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.views import OWN_COLUMNS
from orgdata_dagster.warehouse.ledger.loads import LandedPartition
from orgdata_dagster.warehouse.names import LOADED_AT

SYNC_SUMMARY = "summary"  # the entry of a sync's metadata that the command line prints

_PREVIEW_ROWS = 10
_WIDEST_CELL = 60

Metadata = dict[str, dg.MetadataValue]

SUPERSEDED = "superseded"


def of_partition(load: PartitionLoad, done: Committed, watermark: datetime | None) -> Metadata:
    """The figures of one partition's load."""
    rows = done.rows.get(load.partition, 0)
    figures = _figures(rows, load)
    if load.replaced_characters:
        figures["replaced_characters"] = dg.MetadataValue.int(load.replaced_characters)
    if watermark is not None:
        figures["watermark"] = dg.MetadataValue.timestamp(watermark)
    if done.changes:
        figures["column_changes"] = dg.MetadataValue.md("\n".join(f"- {change}" for change in done.changes))
    gaps = [interval for interval in load.coverage if not interval.complete]
    if gaps:
        figures["incomplete"] = dg.MetadataValue.md(
            "\n".join(f"- {gap.start.isoformat()}: {gap.reason}" for gap in gaps)
        )
    if (difference := done.differences.get(load.partition)) is not None:
        figures["rows_new_or_changed"] = dg.MetadataValue.int(difference.came)
        figures["rows_gone_or_changed"] = dg.MetadataValue.int(difference.went)
    if load.partition in done.superseded:
        figures[SUPERSEDED] = dg.MetadataValue.text(
            "not stored: the warehouse already has a newer snapshot of this partition"
        )
    return figures


def of_landed(landed: LandedPartition) -> Metadata:
    """The figures of a partition from the ledger, if its run ended before it reported them."""
    text = "from the ledger, because the run ended before it reported this partition"
    return {**_figures(landed.rows, landed), "reported": dg.MetadataValue.text(text)}


def resumed() -> Metadata:
    """The metadata of a partition that was landed by the run that this one continues."""
    return {"resumed": dg.MetadataValue.text("landed by the run that this one continues; not pulled again")}


def of_table(connection: duckdb.DuckDBPyConnection, target: Target) -> Metadata:
    """Row count, columns and a preview of the current table."""
    columns = table_columns(connection, target.table)
    count = connection.execute(f"SELECT count(*) FROM {target.table.sql}").fetchone()
    return {
        "dagster/row_count": dg.MetadataValue.int(count[0] if count else 0),
        "dagster/table_name": dg.MetadataValue.text(str(target.table)),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            _schema(columns, OWN_COLUMNS | dict(target.column_descriptions))
        ),
        "preview": dg.MetadataValue.md(_preview(connection, target)),
    }


def _figures(rows: int, load: PartitionLoad | LandedPartition) -> Metadata:
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(rows),
        "rows": dg.MetadataValue.int(rows),
        "pages": dg.MetadataValue.int(load.pages),
        "requests": dg.MetadataValue.int(load.requests),
        "bytes": dg.MetadataValue.int(load.bytes),
        "seconds": dg.MetadataValue.float(round(load.seconds, 3)),
        "waited_for_rate_limit_seconds": dg.MetadataValue.float(round(load.waited, 3)),
    }


def _schema(columns: Mapping[str, str], descriptions: Mapping[str, str]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name, kind, description=descriptions.get(name)) for name, kind in columns.items()]
    )


def _preview(connection: duckdb.DuckDBPyConnection, target: Target) -> str:
    """The newest rows as a Markdown table, with the values as the database prints them."""
    newest = f"SELECT * FROM {target.table.sql} ORDER BY {LOADED_AT} DESC LIMIT {_PREVIEW_ROWS}"
    cursor = connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({newest})")
    names = [column[0] for column in cursor.description or ()]
    lines = ["| " + " | ".join(map(_cell, names)) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in cursor.fetchall()]
    return "\n".join(lines)


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    text = value.replace("|", "\\|").replace("\r", "").replace("\n", "⏎")
    return excerpt(text, _WIDEST_CELL)
