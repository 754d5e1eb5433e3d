"""Dagster's event log in SQLite, which stores the events of a run's partitions in batches.

Here: `BatchingEventLog`, which an instance's dagster.yaml names (event_log_class.py). Keep out: creating events.

Dagster reports every partition twice, as planned and as materialized. Its own storage uses a transaction in two files
for each, on new connections. That takes at least 15 ms, more than pulling a small partition. A step of one small table
has 20 further events; half of them are check results, with three transactions each. This class stores the events of a
batch in one transaction per file. The files and tables are Dagster's own, so that Dagster can read them without this
class.

This class also works around three problems of the UI:
- Dagster plans a check of a run once per partition, although a check without partitions has only one result. The UI
  shows the other plans as skipped for ever. This class stores one plan, which the result replaces.
- The UI shows a check that was planned but never evaluated, because the run failed, as a failed check. This class
  deletes such plans, so that the previous result remains the last one.
- The UI pages through an asset's events by time in milliseconds. It omits events with the same millisecond as the last
  event of a page. This class gives the events of a batch distinct milliseconds.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, Self

from dagster import AssetCheckEvaluation
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    AssetCheckEvaluationPlanned,
    DagsterEventType,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, bindparam, create_engine

from orgdata_dagster.dagster_internals import require, storage_engines
from orgdata_dagster.dagster_internals.check_plans import delete_plans, forget_plans
from orgdata_dagster.dagster_internals.event_batches import in_batches
from orgdata_dagster.dagster_internals.materialization_rows import MaterializationRows, Row
from orgdata_dagster.dagster_internals.migrations import read_once
from orgdata_dagster.dagster_internals.planned_partitions import with_partitions
from orgdata_dagster.dagster_internals.server_watch import watch_less

_log = logging.getLogger("orgdata.events")
_APART = 0.0011  # seconds between two materializations: more than a millisecond, which floats round
_CUT_SHORT = {DagsterEventType.RUN_FAILURE, DagsterEventType.RUN_CANCELED}
_TOGETHER = {*ASSET_EVENTS, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}
_INDEXED = {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}
# Half of a run's events. Dagster creates another event of the run immediately after each of these, and nobody waits for
# them. They are therefore stored together with the next event.
_WAITING = {
    DagsterEventType.STEP_OUTPUT,
    DagsterEventType.HANDLED_OUTPUT,
    DagsterEventType.LOGS_CAPTURED,
    DagsterEventType.RESOURCE_INIT_SUCCESS,
}
_INSERT = SqlEventLogStorageTable.insert()
# The result of a check in place of its plan. Dagster puts the statement together anew for each result, which takes
# longer than to run it.
_CHECKS = AssetCheckExecutionsTable.c
_RESULT = (
    AssetCheckExecutionsTable.update()
    .where(
        _CHECKS.asset_key == bindparam("_asset_key"),
        _CHECKS.check_name == bindparam("_check_name"),
        _CHECKS.run_id == bindparam("_run_id"),
        _CHECKS.partition.is_(None),
    )
    .values(
        execution_status=bindparam("_status"),
        evaluation_event=bindparam("_evaluation_event"),
        evaluation_event_timestamp=bindparam("_evaluation_event_timestamp"),
        evaluation_event_storage_id=bindparam("_evaluation_event_storage_id"),
        materialization_event_storage_id=bindparam("_target"),
    )
)


require(
    SqliteEventLogStorage,
    *("_connect", "_initdb", "_event_to_row", "_event_insert_timestamp", "conn_string_for_shard", "path_for_shard"),
    *("run_connection", "index_transaction", "_store_asset_event", "_store_asset_event_tags", "store_event_batch"),
    *("store_asset_check_event", "index_connection", "has_table"),
)


class BatchingEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, which stores a batch of asset events in one transaction per file."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._lock = threading.Lock()
        self._waiting = dict[str, list[Row]]()
        self._tables = set[str]()
        self._thread = threading.local()
        super().__init__(*args, **named)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Called by Dagster in every process that uses the instance."""
        in_batches()
        read_once()
        watch_less()
        storage_engines.keep()
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """One event may plan all partitions of a run; it is stored as a row per partition (planned_partitions.py)."""
        return True

    def store_event(self, event: EventLogEntry) -> None:
        """Store one event, or keep it until the next event of its run: see _WAITING."""
        if event.is_dagster_event and event.dagster_event_type in _WAITING:
            row = dict(self._event_to_row(event))
            with self._lock:
                self._waiting.setdefault(event.run_id, []).append(row)
            return
        self._store([event])
        if event.is_dagster_event and event.dagster_event_type in _CUT_SHORT:
            forget_plans(self, event.run_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events; if this fails, Dagster tries them one by one."""
        together: list[EventLogEntry] = []
        for event in events:
            if event.is_dagster_event and event.dagster_event_type in _TOGETHER:
                together.append(event)
            else:
                self.store_event(event)
        if together:
            self._store(apart(together))

    def wipe(self) -> None:
        """Delete all events."""
        self._close()  # otherwise it would continue to write to deleted files
        super().wipe()

    def dispose(self) -> None:
        """Write the events that still wait, and close the files."""
        for run_id in list(self._waiting):
            try:
                self._write(run_id, [])
            except Exception as error:  # noqa: BLE001 - the rest must be closed
                _log.error("the last %d events of run %s are lost: %s", len(self._waiting[run_id]), run_id, error)
        super().dispose()
        self._close()

    def _close(self) -> None:
        for shard in self._initialized_dbs:
            _engine(self.conn_string_for_shard(shard)).dispose()

    def _announce(self, run_id: str) -> None:
        """Touch the run's file, so that the UI reloads it while new events are only in SQLite's write-ahead log."""
        os.utime(self.path_for_shard(run_id))

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Like Dagster's method, but the engine and its compiled statements are cached."""
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table. Cached, because Dagster opens a connection for this at every check result."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def run_connection(self, run_id: str | None = None) -> Any:
        """A connection to the file of a run, with all of its events."""
        self._write(run_id, [])
        return self._connect(run_id or "")

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A connection to the index. Within `index_transaction`, this thread gets the connection of the transaction."""
        current = getattr(self._thread, "connection", None)
        with nullcontext(current) if current is not None else super().index_connection() as connection:
            yield connection

    def _store(self, events: Sequence[EventLogEntry]) -> None:
        """Write events of one run to its file, and those about assets and checks also to the index over all runs."""
        to_row = MaterializationRows(self._event_to_row)
        parts = [with_partitions(event, to_row, _APART) for event in events]
        self._write(events[0].run_id, [row for part in parts for row in part])
        self._announce(events[0].run_id)
        indexed = [(event, part) for event, part in zip(events, parts, strict=True) if _is_indexed(event)]
        if not indexed:
            return
        with self.index_transaction() as connection:
            self._thread.connection = connection
            try:
                self._index(connection, *zip(*indexed, strict=True))
            finally:
                self._thread.connection = None

    def _write(self, run_id: str | None, rows: Sequence[Row]) -> None:
        """Write rows to the file of a run, after its waiting events, which wait on if this fails."""
        with self._lock:
            waiting = self._waiting.pop(run_id or "", [])
        if not waiting and not rows:
            return
        try:
            with self._connect(run_id or "") as connection:
                connection.execute(_INSERT, [*waiting, *rows])
        except BaseException:
            with self._lock:
                self._waiting[run_id or ""] = [*waiting, *self._waiting.get(run_id or "", [])]
            raise

    def _index(self, connection: Connection, events: Sequence[EventLogEntry], parts: Sequence[Sequence[Row]]) -> None:
        first, *others = [row for part in parts for row in part]
        at = connection.execute(_INSERT, first).lastrowid
        if others:
            connection.execute(_INSERT, others)
        last = accumulate(map(len, parts), initial=at - 1)  # the transaction excludes other writers
        stored = list(zip(islice(last, 1, None), events, parts, strict=True))
        if about := {at: event for at, event, _ in stored if event.dagster_event_type in ASSET_EVENTS}:
            self._index_assets(connection, about)
        for at, event, rows in stored:
            if event.dagster_event_type in ASSET_CHECK_EVENTS:
                self._index_check(connection, event, at, rows[0]["event"])

    def _index_assets(self, connection: Connection, stored: Mapping[int, EventLogEntry]) -> None:
        """Write the last event of every asset to the index, which only stores the last one."""
        self._store_asset_event_tags(connection, list(stored.values()), list(stored))
        last = {(event.get_dagster_event().asset_key, event.dagster_event_type): at for at, event in stored.items()}
        for at in last.values():
            self._store_asset_event(connection, stored[at], at)

    def _index_check(self, connection: Connection, event: EventLogEntry, at: int, text: str) -> None:
        """Write the plan of a check as one row, and its result in place of the plan. text: the stored event."""
        data = event.get_dagster_event().event_specific_data
        assert isinstance(data, AssetCheckEvaluationPlanned | AssetCheckEvaluation)
        row = {
            "asset_key": data.asset_key.to_string(),
            "check_name": data.check_name,
            "run_id": event.run_id,
            "evaluation_event": text,
            "evaluation_event_timestamp": self._event_insert_timestamp(event),
            "evaluation_event_storage_id": at,
        }
        if isinstance(data, AssetCheckEvaluationPlanned):
            status = AssetCheckExecutionRecordStatus.PLANNED.value
            connection.execute(AssetCheckExecutionsTable.insert(), {**row, "execution_status": status})
            return
        result = AssetCheckExecutionRecordStatus.SUCCEEDED if data.passed else AssetCheckExecutionRecordStatus.FAILED
        target = data.target_materialization_data.storage_id if data.target_materialization_data else None
        filled = {f"_{name}": value for name, value in {**row, "status": result.value, "target": target}.items()}
        if data.partition is None and event.run_id and connection.execute(_RESULT, filled).rowcount:
            return
        self.store_asset_check_event(event, at)
        if data.partition and event.run_id:  # a check with partitions: Dagster has added a row
            delete_plans(connection, event.run_id, data.asset_key, data.check_name)


def apart(events: Sequence[EventLogEntry]) -> list[EventLogEntry]:
    """The events with times that are at least one millisecond apart. The last event keeps its time."""
    spread, latest = list[EventLogEntry](), float("inf")
    for event in reversed(events):
        latest = min(event.timestamp, latest - _APART)
        spread.append(event._replace(timestamp=latest))
    return spread[::-1]


def _is_indexed(event: EventLogEntry) -> bool:
    return event.is_dagster_event and event.dagster_event_type in _INDEXED


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    """An engine that keeps a connection, because closing the last one takes SQLite 20 ms."""
    return storage_engines.in_wal(
        create_engine(url, pool_size=1, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
    )
