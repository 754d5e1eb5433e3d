"""A webhook of octolis as a destination that receives each new row once: its YAML and its payloads.

Here: the options of `type: orgdata_dagster.OctolisWebhook`, and rows as events. Keep out: the request
(vendors/octolis/writing.py), sending (writeback/delivery.py).

A webhook accepts any JSON and does not deduplicate. Every event therefore has an id that is the same each time the row
is sent. It is derived from the key, or from the whole row if there is no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import duckdb
from pydantic import Field

from orgdata_dagster.http.records import Observer
from orgdata_dagster.vendors.octolis.sync.component import OctolisWriteback
from orgdata_dagster.vendors.octolis.sync.dataset import REQUEST_IDS, VENDOR, OctolisDestination
from orgdata_dagster.vendors.octolis.writing import Method, OctolisWriter
from orgdata_dagster.warehouse.names import OWN_PREFIX, folded, quoted, unknown
from orgdata_dagster.writeback.destination import ResultColumn, Row, RowResult
from orgdata_dagster.writeback.payloads import unusable
from orgdata_dagster.writeback.sync import Text

EVENT_ID = "event_id"

# The payload is built as text, because DuckDB drops nulls when it merges JSON.
_FILL = """
INSERT INTO rows
WITH texts AS (SELECT rowid AS id, to_json(struct_pack({columns})) AS text, {identity} AS identity FROM source),
events AS (
    SELECT id, text, sha256($webhook || identity || CASE WHEN $has_key THEN '' ELSE
        CAST(row_number() OVER (PARTITION BY text ORDER BY id) AS VARCHAR) END) AS event_id
    FROM texts)
SELECT id + 1, event_id, event_id, NULL,
    '{{"event_id":"' || event_id || '"' || CASE text WHEN '{{}}' THEN '}}' ELSE ',' || substr(text, 2) END,
    CASE WHEN event_id IS NULL THEN ['the key must not be empty']
        WHEN NOT json_valid(text) THEN ['a number is NaN or infinite, which JSON cannot express'] ELSE [] END
FROM events ORDER BY id
"""


class OctolisWebhook(OctolisWriteback):
    """Sends each new row of a table, or of a SELECT, to a webhook of octolis; after a crash it may send a row again."""

    ending: ClassVar[str] = "webhook"

    webhook_id: Text = Field(description="The webhook's id in octolis.")
    method: Method = Field(default="POST", description="As agreed with octolis.")
    headers: dict[str, str] = Field(default={}, description="Headers that the webhook's whitelist requires.")
    key: list[Text] = Field(
        default=[],
        description="Columns that identify a row. Without a key all columns do, so a changed row counts as new.",
    )

    @property
    def summary(self) -> str:
        """What the webhook does, for the UI."""
        return f"Sends each new row of its source to webhook `{self.webhook_id}`."

    def destination(self, datasets: Mapping[str, str]) -> Webhook:  # noqa: ARG002 - a webhook belongs to no dataset
        """The webhook as a destination."""
        return Webhook(self.webhook_id, self.method, self.headers, tuple(self.key), self.vendor)


@dataclass(frozen=True)
class Webhook(OctolisDestination):
    """A webhook as a destination.

    target: the webhook's id.
    key: the columns of the source that identify a row; empty: all columns.
    vendor: the name of the account.
    """

    result_columns: ClassVar[Mapping[str, ResultColumn]] = REQUEST_IDS

    target: str
    method: Method
    headers: Mapping[str, str]
    key: tuple[str, ...]
    vendor: str = VENDOR
    batch_size: int = 1

    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Fill `rows` from `source`, with one event per row."""
        fill(connection, self.target, self.key)

    def send(self, writer: OctolisWriter, rows: Sequence[Row], observer: Observer) -> Sequence[RowResult]:
        """Send one request per row. Answers say only that the event was received."""
        for row in rows:
            writer.call_webhook(self.target, row.payload, method=self.method, headers=self.headers, observer=observer)
        return [RowResult(written=True) for _ in rows]


def fill(connection: duckdb.DuckDBPyConnection, webhook: str, key: Sequence[str]) -> None:
    """Fill `rows` from `source`, with one event per row. Raises PermanentError if the columns do not allow it."""
    found = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
    columns = [column for column in found if not column.startswith(OWN_PREFIX)]
    spelled = {folded(column): column for column in columns}
    problems = [f"key: {unknown(column, columns)}" for column in key if folded(column) not in spelled]
    if EVENT_ID in spelled:
        problems.append(f"the source has a column {EVENT_ID}, which is the name of the event's id; rename the column")
    if problems:
        raise unusable(VENDOR, problems)
    key = [spelled[folded(column)] for column in key]
    values = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in columns)
    filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)
    in_key = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in key)
    identity = f"CASE WHEN {filled} THEN CAST(to_json(struct_pack({in_key})) AS VARCHAR) END" if key else "text"
    connection.execute(_FILL.format(columns=values, identity=identity), {"webhook": webhook, "has_key": bool(key)})
