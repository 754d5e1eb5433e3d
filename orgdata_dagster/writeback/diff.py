"""What is to be done with every row of the source, found out without a request.

Here: the file beside the warehouse that holds rows, ledger and plan; and the questions to it. Add here: another reason
to send a row, or not to. Keep out: values (validation.py), sending (delivery.py).

The copy lets the warehouse go at once, keeps memory flat, and is one moment of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.writeback import source
from orgdata_dagster.writeback.definition import Row
from orgdata_dagster.writeback.sent_rows import VENDOR, SentRows

Fill = Callable[[duckdb.DuckDBPyConnection], None]
"""Fills the table `rows` from the table `source`."""

_ROWS = (
    "CREATE TABLE rows (number BIGINT, key VARCHAR, hash VARCHAR, rest VARCHAR, payload VARCHAR, problems VARCHAR[])"
)
# A key that is in flight goes whatever was accepted before: it may have been overwritten since. A rejected row that has
# another key now, because the key was what was wrong with it, is recognised by the rest of its values.
_PLAN = f"""
CREATE TABLE plan AS
WITH twins AS (SELECT key, count(*) AS twins FROM rows WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1),
known AS (SELECT key, any_value(hash) FILTER (rejected_by = '{VENDOR}') AS refused FROM rejected GROUP BY key),
checked AS (
    SELECT rows.* EXCLUDE (problems), CASE WHEN twins IS NULL THEN problems
        ELSE list_append(problems, 'the key is there ' || twins || ' times') END AS problems
    FROM rows LEFT JOIN twins USING (key))
SELECT checked.*, CASE
    WHEN len(problems) > 0 THEN 'rejected'
    WHEN $only_rejected AND known.key IS NULL AND NOT (accepted.key IS NULL
        AND coalesce(checked.rest IN (SELECT rest FROM rejected WHERE rest IS NOT NULL), false)) THEN 'left out'
    WHEN in_flight.key IS NOT NULL THEN 'send'
    WHEN NOT $everything AND accepted.hash = checked.hash THEN 'unchanged'
    WHEN NOT ($only_rejected OR $everything) AND known.refused = checked.hash THEN 'refused before'
    ELSE 'send' END AS action,
    coalesce(in_flight.again, 'run ' || in_flight.run_id || ' ended before the answer was recorded') AS again
FROM checked LEFT JOIN known ON known.key = checked.key LEFT JOIN accepted ON accepted.key = checked.key
    LEFT JOIN in_flight ON in_flight.key = checked.key
ORDER BY number
"""


@dataclass(frozen=True)
class Counts:
    """How many rows the source has, and what is to be done with them."""

    rows: int
    send: int
    again: int
    unchanged: int
    rejected: int
    refused_before: int
    left_out: int


@dataclass(frozen=True)
class Problem:
    """Why a row is not sent, a line a column."""

    number: int
    key: str | None
    problems: tuple[str, ...]


class Diff:
    """The plan in its file; every question opens it anew, so that a transaction can read it in between."""

    def __init__(self, warehouse: Warehouse, path: Path) -> None:
        self._warehouse = warehouse
        self.path = path

    @cached_property
    def counts(self) -> Counts:
        """The figures."""
        with self.opened() as connection:
            found = dict(connection.execute("SELECT action, count(*) FROM plan GROUP BY action").fetchall())
            row = connection.execute("SELECT count(*) FROM plan WHERE action = 'send' AND again IS NOT NULL").fetchone()
        again = row[0] if row else 0
        kinds = ("send", "unchanged", "rejected", "refused before", "left out")
        send, unchanged, rejected, refused, left_out = (found.get(kind, 0) for kind in kinds)
        return Counts(sum(found.values()), send, again, unchanged, rejected, refused, left_out)

    def batches(self, size: int) -> Iterator[list[Row]]:
        """The rows to send, so many at a time, in the source's order."""
        with self.opened() as connection:
            cursor = connection.execute(
                "SELECT number, key, hash, rest, payload, again FROM plan WHERE action = 'send' ORDER BY number"
            )
            while rows := cursor.fetchmany(size):
                yield [Row(*row) for row in rows]

    def problems(self, most: int) -> list[Problem]:
        """The first rows that are not sent because something is wrong with them."""
        with self.opened() as connection:
            rows = connection.execute(
                "SELECT number, key, problems FROM plan WHERE action = 'rejected' ORDER BY number LIMIT ?", [most]
            ).fetchall()
        return [Problem(number, key, tuple(problems)) for number, key, problems in rows]

    def first(self, most: int) -> Sequence[Row]:
        """The first rows to send."""
        return next(iter(self.batches(most)), [])

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that uses the file."""
        with self._warehouse.scratch_connection() as connection:
            connection.execute(f"ATTACH {literal(str(self.path))} AS {source.COPY} (READ_ONLY); USE {source.COPY}")
            yield connection


def make(
    warehouse: Warehouse,
    ledger: SentRows,
    source_sql: str,
    fill: Fill,
    folder: Path,
    *,
    only_rejected: bool = False,
    everything: bool = False,
) -> Diff:
    """Copy the source into `folder`, check and compare every row.

    `only_rejected`: send only what is rejected at present. `everything`: also what was accepted, or refused, as it is.
    Raises PermanentError where the source cannot be read, and what `fill` raises.
    """
    found = Diff(warehouse, folder / "diff.duckdb")
    with warehouse.reading() as connection:
        source.copy(connection, source_sql, found.path)
        ledger.copy(connection)
    with warehouse.scratch_connection() as connection:
        connection.execute("SET GLOBAL preserve_insertion_order = true")
        connection.execute(f"ATTACH {literal(str(found.path))} AS {source.COPY}; USE {source.COPY}")
        connection.execute(_ROWS)
        fill(connection)
        connection.execute(_PLAN, {"only_rejected": only_rejected, "everything": everything})
    return found
