"""New rows of the warehouse as calls of a webhook, each row once: YAML and payloads.

Here: the fields of `type: orgdata_dagster.OctolisWebhook`, and a row as an event. Keep out: sending (delivery.py), the
request (writing.py).

A webhook takes any JSON and deduplicates nothing. So every event has an id that is the same whenever the row is sent:
made of the key, or of the whole row where there is no key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import duckdb
from pydantic import Field

from orgdata_dagster.http.client import Observer
from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.writing import Fate, Method, OctolisWriter
from orgdata_dagster.warehouse.names import OWN_PREFIX, folded, quoted, unknown
from orgdata_dagster.writeback.asset import Job
from orgdata_dagster.writeback.batch import Send
from orgdata_dagster.writeback.component import Text, Writing
from orgdata_dagster.writeback.definition import Row

EVENT_ID = "event_id"

# The payload is put together as text: the database's own merging of JSON drops nulls.
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
        WHEN NOT json_valid(text) THEN ['a number that JSON has no word for'] ELSE [] END
FROM events ORDER BY id
"""


class OctolisWebhook(Writing):
    """Sends each new row of a table, or of a SELECT, to a webhook of octolis: once, or again after a crash."""

    ending: ClassVar[str] = "webhook"

    webhook_id: Text = Field(description="The webhook's id in octolis.")
    method: Method = Field(default="POST", description="As agreed with octolis.")
    headers: dict[str, str] = Field(default={}, description="What the webhook's whitelist asks for.")
    key: list[Text] = Field(
        default=[], description="The columns that make a row a new one; left out: all, so that a changed row is new."
    )

    def job(self, datasets: Mapping[str, str]) -> Job:  # noqa: ARG002 - a webhook is nobody's data set
        """What is to be done."""
        return Job(
            name=self.name,
            ending=self.ending,
            source=self.source,
            target=self.webhook_id,
            fill=partial(fill, name=self.name, webhook=self.webhook_id, key=self.key),
            send=partial(_sender, self.method, self.headers),
            batch_size=1,
            dry_run=self.dry_run,
            max_rejected=self.max_rejected,
            description=self.description or f"Sends each new row of its source to webhook `{self.webhook_id}`.",
            owners=tuple(self.owners),
            automation=self.automation,
        )


def fill(connection: duckdb.DuckDBPyConnection, name: str, webhook: str, key: Sequence[str]) -> None:
    """Fill `rows` from `source`: a row an event. Raises PermanentError where the columns do not allow it."""
    found = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
    columns = [column for column in found if not column.startswith(OWN_PREFIX)]
    spelled = {folded(column): column for column in columns}
    problems = [f"key: {unknown(column, columns)}" for column in key if folded(column) not in spelled]
    if EVENT_ID in spelled:
        problems.append(f"the source has a column {EVENT_ID}, which is the event's own; give it another name")
    if problems:
        raise PermanentError(
            f"webhook {name}: {'; '.join(problems)}",
            vendor=OctolisResource.vendor,
            remedy="Correct `source` or `key`. Nothing was sent.",
        )
    key = [spelled[folded(column)] for column in key]
    values = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in columns)
    filled = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)
    in_key = ", ".join(f"{quoted(column)} := {quoted(column)}" for column in key)
    identity = f"CASE WHEN {filled} THEN CAST(to_json(struct_pack({in_key})) AS VARCHAR) END" if key else "text"
    connection.execute(_FILL.format(columns=values, identity=identity), {"webhook": webhook, "has_key": bool(key)})


def _sender(method: Method, headers: Mapping[str, str], writer: OctolisWriter, webhook: str) -> Send:
    def call(rows: Sequence[Row], observer: Observer) -> Sequence[Fate]:
        for row in rows:
            writer.call_webhook(webhook, row.payload, method=method, headers=headers, observer=observer)
        return [Fate(written=True) for _ in rows]

    return call
