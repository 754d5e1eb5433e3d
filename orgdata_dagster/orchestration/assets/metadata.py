"""The metadata of a materialization, which the UI shows.

Here: metadata of a partition and of the whole table. Add here when: the UI should show another figure.
Keep out: computing the figures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import dagster as dg
import duckdb

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets import completeness
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.views import OWN_COLUMNS
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.ledger.loads import LandedPartition
from orgdata_dagster.warehouse.names import LOADED_AT, folded

SYNC_SUMMARY = "summary"  # the entry of a sync's metadata that the command line prints

_PREVIEW_ROWS = 10
_WIDEST_CELL = 60

Metadata = dict[str, dg.MetadataValue]

SUPERSEDED = "superseded"


def of_partition(
    load: PartitionLoad, done: CommitResult, watermark: datetime | None, window: completeness.TimeWindow | None
) -> Metadata:
    """The figures of one partition's load. `window`: the partition's time window, see completeness.of_coverage."""
    rows = done.rows.get(load.partition, 0)
    figures = _figures(rows, load)
    if load.replaced_characters:
        figures["replaced_characters"] = dg.MetadataValue.int(load.replaced_characters)
    if watermark is not None:
        figures["watermark"] = dg.MetadataValue.timestamp(watermark)
    if done.changes:
        figures["column_changes"] = dg.MetadataValue.md("\n".join(f"- {change}" for change in done.changes))
    if (difference := done.differences.get(load.partition)) is not None:
        figures["rows_new_or_changed"] = dg.MetadataValue.int(difference.came)
        figures["rows_gone_or_changed"] = dg.MetadataValue.int(difference.went)
    if load.partition in done.superseded:
        figures[SUPERSEDED] = dg.MetadataValue.text(
            "not stored: the warehouse already has a newer snapshot of this partition"
        )
        return figures
    return {**completeness.of_coverage(load.coverage, window), **figures}


def of_landed(landed: LandedPartition, known: Sequence[Interval]) -> Metadata:
    """The figures of a partition from the ledger, for a run that ended before reporting it. `known`: its coverage."""
    text = "from the ledger, because the run ended before it reported this partition"
    proven = completeness.of_coverage(known, None)
    return {**proven, **_figures(landed.rows, landed), "reported": dg.MetadataValue.text(text)}


def resumed(known: Sequence[Interval], window: completeness.TimeWindow | None) -> Metadata:
    """The metadata of a partition that the run which this one continues has landed. `known`: its coverage."""
    text = dg.MetadataValue.text("landed by the run that this one continues; not pulled again")
    return {**completeness.of_coverage(known, window), "resumed": text}


def of_table(connection: duckdb.DuckDBPyConnection, target: Target) -> Metadata:
    """Row count, columns and a preview of the current table."""
    columns = table_columns(connection, target.table)
    count = connection.execute(f"SELECT count(*) FROM {target.table.sql}").fetchone()
    return {
        "dagster/row_count": dg.MetadataValue.int(count[0] if count else 0),
        "dagster/table_name": dg.MetadataValue.text(str(target.table)),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            _schema(columns, OWN_COLUMNS | dict(target.column_descriptions), target.key)
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


def _schema(columns: Mapping[str, str], descriptions: Mapping[str, str], key: Collection[str]) -> dg.TableSchema:
    texts, keys = {folded(name): text for name, text in descriptions.items()}, set(map(folded, key))
    marked = dg.TableColumnConstraints(other=["key"])
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, texts.get(folded(name)), constraints=marked if folded(name) in keys else None)
            for name, kind in columns.items()
        ]
    )


def _preview(connection: duckdb.DuckDBPyConnection, target: Target) -> str:
    """The newest rows as a Markdown table, with the values as the database prints them."""
    newest = f"SELECT * FROM {target.table.sql} ORDER BY {LOADED_AT} DESC LIMIT {_PREVIEW_ROWS}"
    cursor = connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({newest})")
    names = [column[0] for column in cursor.description or ()]
    lines = ["| " + " | ".join(map(cell, names)) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in cursor.fetchall()]
    return "\n".join(lines)


def cell(value: str | None) -> str:
    """A value as a cell of a Markdown table."""
    if value is None:
        return ""
    text = value.replace("|", "\\|").replace("\r", "").replace("\n", "⏎")
    return excerpt(text, _WIDEST_CELL)
