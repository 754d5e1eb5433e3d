"""Deciding which rows to send, by comparing every row of the source with those that were accepted or refused before.

Here: the file with the rows and the decision for each of them, and the queries on it. Add here: another reason to send
a row, or not to send it. Keep out: values (columns.py), sending (delivery.py).

The comparison runs on a copy in a database file of its own. The warehouse is therefore free again at once, memory use
is constant, and everything that is sent belongs to one moment of the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.writeback import source
from orgdata_dagster.writeback.destination import Destination, Row
from orgdata_dagster.writeback.payloads import ROWS
from orgdata_dagster.writeback.row_states import BY_DESTINATION, RowStates

# A key in flight is always sent, because the destination may have a newer value than the last accepted one.
# A rejected row may have another key by now, because its key was invalid. It is recognised by the rest of its values.
_DIFF = f"""
CREATE TABLE diff AS
WITH duplicates AS (SELECT key, count(*) AS times FROM rows WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1),
known AS (SELECT key, any_value(hash) FILTER (rejected_by = '{BY_DESTINATION}') AS refused FROM rejected GROUP BY key),
checked AS (
    SELECT rows.* EXCLUDE (problems), CASE WHEN times IS NULL THEN problems
        ELSE list_append(problems, times || ' rows of the source have this key') END AS problems
    FROM rows LEFT JOIN duplicates USING (key))
SELECT checked.*, CASE
    WHEN len(problems) > 0 THEN 'rejected'
    WHEN $only_rejected AND known.key IS NULL AND NOT (accepted.key IS NULL
        AND coalesce(checked.rest IN (SELECT rest FROM rejected WHERE rest IS NOT NULL), false)) THEN 'skipped'
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
class Selection:
    """Which rows a run sends in addition to, or instead of, those that changed.

    only_rejected: send only rows that are rejected at present.
    everything: also send rows that were accepted or refused exactly as they are now.
    """

    only_rejected: bool = False
    everything: bool = False


@dataclass(frozen=True)
class DiffCounts:
    """Number of rows in the source, and number of rows per decision.

    send: rows to send.
    again: those rows to send that the destination may have already.
    unchanged: rows that the destination has accepted already.
    rejected: rows that are rejected before anything is sent.
    refused_before: rows whose payload the destination has refused before.
    skipped: rows that are not rejected, if only rejected rows were requested.
    """

    rows: int
    send: int
    again: int
    unchanged: int
    rejected: int
    refused_before: int
    skipped: int


@dataclass(frozen=True)
class InvalidRow:
    """A row that is rejected before anything is sent. `problems`: one per column, as `column: problem`."""

    number: int
    key: str | None
    problems: tuple[str, ...]


class Diff:
    """The comparison in its file. Every query opens the file again, so that a transaction can read it in between."""

    def __init__(self, warehouse: Warehouse, path: Path) -> None:
        self._warehouse = warehouse
        self.path = path

    @cached_property
    def counts(self) -> DiffCounts:
        """Number of rows per decision."""
        with self.opened() as connection:
            found = dict(connection.execute("SELECT action, count(*) FROM diff GROUP BY action").fetchall())
            row = connection.execute("SELECT count(*) FROM diff WHERE action = 'send' AND again IS NOT NULL").fetchone()
        again = row[0] if row else 0
        actions = ("send", "unchanged", "rejected", "refused before", "skipped")
        send, unchanged, rejected, refused, skipped = (found.get(action, 0) for action in actions)
        return DiffCounts(sum(found.values()), send, again, unchanged, rejected, refused, skipped)

    def batches(self, size: int) -> Iterator[list[Row]]:
        """The rows to send in the source's order, in lists of at most `size` rows."""
        with self.opened() as connection:
            cursor = connection.execute(
                "SELECT number, key, hash, rest, payload, again FROM diff WHERE action = 'send' ORDER BY number"
            )
            while rows := cursor.fetchmany(size):
                yield [Row(*row) for row in rows]

    def invalid_rows(self, most: int) -> list[InvalidRow]:
        """The first rows that are rejected before anything is sent."""
        with self.opened() as connection:
            rows = connection.execute(
                "SELECT number, key, problems FROM diff WHERE action = 'rejected' ORDER BY number LIMIT ?", [most]
            ).fetchall()
        return [InvalidRow(number, key, tuple(problems)) for number, key, problems in rows]

    def first(self, most: int) -> Sequence[Row]:
        """The first rows to send."""
        return next(iter(self.batches(most)), [])

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that uses the file."""
        with self._warehouse.scratch_connection() as connection:
            connection.execute(f"ATTACH {literal(str(self.path))} AS {source.COPY} (READ_ONLY); USE {source.COPY}")
            yield connection


def compare(
    warehouse: Warehouse, row_states: RowStates, sql: str, destination: Destination, selection: Selection, folder: Path
) -> Diff:
    """Copy the source `sql` into `folder`, and check and compare every row.

    Raises PermanentError if the source cannot be read, or does not fit the destination.
    """
    diff = Diff(warehouse, folder / "diff.duckdb")
    with warehouse.reading() as connection:
        source.copy(connection, sql, diff.path)
        row_states.copy(connection)
    with warehouse.scratch_connection() as connection:
        connection.execute("SET GLOBAL preserve_insertion_order = true")
        connection.execute(f"ATTACH {literal(str(diff.path))} AS {source.COPY}; USE {source.COPY}")
        connection.execute(ROWS)
        destination.fill(connection)
        connection.execute(_DIFF, {"only_rejected": selection.only_rejected, "everything": selection.everything})
    return diff
