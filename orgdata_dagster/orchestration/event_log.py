"""Dagster's event log in SQLite, with the events of a run's many partitions stored together.

Here: `BatchingEventLog`, which `instance.py` names in the instance's dagster.yaml. Keep out: which events there are.

Dagster tells of every partition twice, that it is planned and that it is materialized, and its own storage gives each
of the two a transaction in two files, on new connections: 15 ms at least, more than it takes to pull a small partition.
Files and tables are Dagster's own: with or without this class it is the same instance.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"  # Dagster hands over single events unless this is set
_EVENTS_AT_ONCE = "500"


class BatchingEventLog(SqliteEventLogStorage):
    """As SqliteEventLogStorage; a batch of asset events takes one transaction in each of the two files it goes to."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Made by Dagster, in every process that uses the instance."""
        os.environ.setdefault(_BATCH_SIZE, _EVENTS_AT_ONCE)
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events; if this fails, Dagster tries them one by one."""
        together: list[EventLogEntry] = []
        for event in events:
            if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
                together.append(event)
            else:
                self.store_event(event)
        if together:
            self._store_together(together)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """As Dagster's, but the engine is kept, and with it every statement that was ever compiled."""
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        """Into the file of their run (all are of one), and into the index over all runs."""
        insert, rows = SqlEventLogStorageTable.insert(), [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(insert, rows)
        with self.index_transaction() as connection:
            first = connection.execute(insert, rows[0]).lastrowid
            if rows[1:]:
                connection.execute(insert, rows[1:])
            ids = range(first, first + len(rows))  # nobody else writes within the transaction
            self._store_asset_event_tags(connection, events, ids)
            # of an asset the index keeps what was last, so the others before it need not be written
            keys = [(event.get_dagster_event().asset_key, event.dagster_event_type) for event in events]
            for at in dict(zip(keys, range(len(keys)), strict=True)).values():
                self._store_asset_event(connection, events[at], ids[at])


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    """Without a pool: a connection is closed when its context ends, so that a file of an old run is not held open."""
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
