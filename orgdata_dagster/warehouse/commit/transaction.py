"""The commit: rows, coverage, load record and requests of some partitions, in one transaction.

Here: `commit`. Add here: another write disposition. Keep out: the input of a commit (target.py), fetching rows.

After a commit, a partition is either the old one or the new one, never a mixture. If two runs pull the same partition,
the newer snapshot is kept, whichever run commits last.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb

from orgdata_dagster.warehouse.catalog import created, table_columns
from orgdata_dagster.warehouse.commit import configured_columns, evolution, key_types, keys, naming, views
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.differences import differences, remember
from orgdata_dagster.warehouse.commit.inserting import Provenance, TypeSurprise, insert
from orgdata_dagster.warehouse.commit.merging import keep_newest, merge
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows, move
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.errors import Refused, WarehouseError
from orgdata_dagster.warehouse.ledger import schema
from orgdata_dagster.warehouse.ledger.coverage import write_coverage
from orgdata_dagster.warehouse.ledger.intervals import Interval, until
from orgdata_dagster.warehouse.ledger.loads import (
    LoadRecord,
    has_load,
    last_columns,
    last_loaded_at,
    newest_snapshots,
    write_loads,
)
from orgdata_dagster.warehouse.ledger.requests import ApiRequest, write_requests
from orgdata_dagster.warehouse.ledger.schema_changes import SchemaChange, write_schema_changes
from orgdata_dagster.warehouse.ledger.state import write_state
from orgdata_dagster.warehouse.names import (
    LOADED_AT,
    PARTITION,
    PARTITION_IS_IN,
    TableName,
    quoted,
)
from orgdata_dagster.warehouse.pages.stage import Stage
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.memory import with_room


def commit(
    warehouse: Warehouse,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    *,
    run_id: str,
    requests: Sequence[ApiRequest] = (),
    ready: Sequence[ReadyRows] = (),
) -> CommitResult:
    """Store the staged rows of the partitions of `loads`: all of them or none.

    ready: converted rows of some of the partitions.

    Raises ContractViolation (a column of a frozen table changed), Refused (by a rule of the target), UnknownColumns (of
    the configuration), KeysViolated, and RowCountMismatch (the pages contain other rows than were inserted). The
    warehouse is then unchanged.
    """
    _refuse_types(warehouse, target, stage)
    stage.inspect()  # before the lock
    if stage.wide and not stage.exact:
        stage.prove()
    for each in ready:
        each.finish()
    while True:
        try:
            return _attempt(warehouse, target, stage, loads, run_id, requests, ready)
        except TypeSurprise:
            stage.analyse()
        except naming.NamesMoved as moved:
            stage.rename(moved.names)
            if stage.wide:
                stage.analyse()
        ready = ()


def _refuse_types(warehouse: Warehouse, target: Target, stage: Stage) -> None:
    for column, kind in stage.configured.items():
        if warehouse.storage.unusable(kind):
            raise Refused(
                f"{target.table}: `columns`: {column!r} is declared {kind}, which a lake cannot hold without changing "
                "values. Nothing was stored. Declare another type, such as VARCHAR."
            )


def record_requests(warehouse: Warehouse, requests: Sequence[ApiRequest], *, run_id: str) -> None:
    """Record requests that do not belong to a load."""
    if not requests:
        return
    with warehouse.writing() as connection:
        schema.create(connection)
        write_requests(connection, requests, run_id)


def _attempt(
    warehouse: Warehouse,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    run_id: str,
    requests: Sequence[ApiRequest],
    ready: Sequence[ReadyRows],
) -> CommitResult:
    done: CommitResult | None = None

    def work() -> CommitResult:
        nonlocal done
        if done and _has_landed(warehouse, target.table, run_id, done):
            return done
        with warehouse.transaction(stage.connection) as connection:
            done = _transaction(connection, target, stage, loads, run_id, requests, ready)
        return done

    try:
        return warehouse.reconnecting(lambda: with_room(stage.connection, work))
    except Exception:
        with suppress(WarehouseError, duckdb.Error):  # the first error is the one to report
            if done and _has_landed(warehouse, target.table, run_id, done):
                return done
        raise


def _has_landed(warehouse: Warehouse, table: TableName, run_id: str, done: CommitResult) -> bool:
    """Whether an attempt was committed although it failed at or after its COMMIT. Repeating it would add rows twice.

    The ledger shows this, because the load's record is part of the transaction. It is read through another DuckDB
    instance than the stage's, which cannot be used any more after an internal error.
    """
    if not warehouse.exists:
        return False
    with warehouse.reading() as connection:
        return done.at is not None and has_load(connection, table, run_id, done.at)


def _transaction(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    run_id: str,
    requests: Sequence[ApiRequest],
    ready: Sequence[ReadyRows],
) -> CommitResult:
    began = time.monotonic()
    schema.create(connection)
    present = datetime.now(UTC)
    loads = [_not_ahead(load, present) for load in loads]
    newest = newest_snapshots(connection, target.table, [load.partition for load in loads], present)
    # an older snapshot must not replace a newer one; a merge or an append deletes nothing
    replaces = target.write_disposition == "replace"
    stale = frozenset(
        load.partition
        for load in loads
        if (replaces or load.whole) and load.as_of < newest.get(load.partition, load.as_of)
    )
    fresh = [load for load in loads if load.partition not in stale and not load.contradicted]
    for load in fresh:
        if target.refuse is not None:
            target.refuse(connection, target, stage, load)
    existing = table_columns(connection, target.table)
    naming.confirm(connection, target.table, stage, existing)
    target = configured_columns.resolved(target, stage, existing)
    planned = evolution.plan(connection, target.table, stage, existing, target.contract)
    kinds = key_types.plan(connection, target, target.table, stage, existing, planned)
    evolution.apply(connection, planned)
    created(connection, target.table)
    target = key_types.with_types(target, [*existing, *planned.casts])
    now = _now(connection, target.table)
    replaced = _delete(connection, target, fresh, newest.keys())
    wanted, origin = {load.partition for load in fresh}, Provenance(now, run_id)
    prepared = [each for each in ready if each.partition in wanted and each.suit(planned)]
    inserted = move(connection, target.table, prepared, origin)
    groups = stage.groups(wanted - {each.partition for each in prepared})
    inserted += sum(insert(connection, target.table, stage, group, planned, origin) for group in groups)
    if target.write_disposition == "merge":
        whole = [load.partition for load in fresh if load.whole]
        merge(connection, target, now, whole, alone=len(prepared) == 1 and not groups)
    elif target.key and any(load.after for load in fresh):
        keep_newest(connection, target, now)
    key_problems = keys.check(connection, target, now)
    reason = target.afterwards(connection, target, now, run_id) if target.afterwards else None
    rows = _rows_by_partition(connection, target.table, now, fresh)
    changes = _note_changes(connection, target, planned, run_id, now)
    seconds = time.monotonic() - began
    records = [
        LoadRecord(
            table=target.table,
            partition=load.partition,
            run_id=run_id,
            status="superseded" if load.partition in stale else "contradicted" if load.contradicted else "landed",
            as_of=load.as_of,
            loaded_at=now,
            rows=rows.get(load.partition, 0),
            pages=load.pages,
            bytes=load.bytes,
            requests=load.requests,
            seconds=load.seconds,
            waited=load.waited,
            columns=sorted(stage.columns),
            replaced_characters=load.replaced_characters,
            commit_seconds=seconds,
        )
        for load in loads
    ]
    write_loads(connection, records)
    proven = zip(records, (_with_reason(load.coverage, reason) for load in loads), strict=True)
    write_coverage(connection, [fact for fact in proven if fact[0].partition not in stale])
    write_requests(connection, requests, run_id)
    for load in fresh:
        if load.state:
            write_state(connection, target.table, load.state, now)
    key_types.remember(connection, target, kinds, now)
    views.refresh(connection, target, now, created=planned.created, changed=bool(changes))
    expected = evolution.expected_types(connection, target.table)
    return CommitResult(
        rows=rows,
        expected=expected,
        changes=tuple(changes),
        superseded=stale,
        differences=differences(connection, target.table, replaced, now),
        inserted=inserted,
        key_problems=key_problems,
        at=now,
    )


def _not_ahead(load: PartitionLoad, now: datetime) -> PartitionLoad:
    """The load without times after `now`: the vendor's clock may be ahead of ours."""
    return replace(load, as_of=min(load.as_of, now), coverage=until(load.coverage, now))


def _with_reason(coverage: tuple[Interval, ...], reason: str | None) -> tuple[Interval, ...]:
    return tuple(replace(part, reason=part.reason or reason) for part in coverage) if reason else coverage


def _delete(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    loads: Sequence[PartitionLoad],
    known: Collection[str | None],
) -> Sequence[str | None]:
    """Delete the rows that the loads replace; returns the `known` partitions that are replaced as a whole."""
    if target.write_disposition != "replace":
        return []
    whole = [load.partition for load in loads if load.after is None]
    replaced = [partition for partition in whole if partition in known]
    remember(connection, target.table, replaced)
    connection.execute(f"DELETE FROM {target.table.sql} WHERE {PARTITION_IS_IN}", [whole, None in whole])
    if target.cursor in table_columns(connection, target.table):  # missing if there were only empty pages so far
        later = f"{PARTITION} IS NOT DISTINCT FROM ? AND CAST({quoted(target.cursor)} AS TIMESTAMPTZ) > ?"
        for load in loads:
            if load.after is not None:
                connection.execute(f"DELETE FROM {target.table.sql} WHERE {later}", [load.partition, load.after])
    return replaced


def _rows_by_partition(
    connection: duckdb.DuckDBPyConnection, table: TableName, now: datetime, loads: Sequence[PartitionLoad]
) -> dict[str | None, int]:
    rows = connection.execute(
        f"SELECT {PARTITION}, count(*) FROM {table.sql} WHERE {LOADED_AT} = ? GROUP BY ALL", [now]
    ).fetchall()
    return dict.fromkeys((load.partition for load in loads), 0) | dict(rows)


def _note_changes(
    connection: duckdb.DuckDBPyConnection, target: Target, planned: evolution.Evolution, run_id: str, now: datetime
) -> list[SchemaChange]:
    """Record the changes of columns. A column that the vendor no longer sends is recorded only once."""
    missing = any(change.change == "missing" for change in planned.changes)
    # only if needed: it reads all of the table's loads
    before = last_columns(connection, target.table) if missing else frozenset()
    news = [
        change
        for change in planned.changes
        if not planned.created and (change.change != "missing" or change.column in before)
    ]
    write_schema_changes(connection, target.table, news, run_id=run_id, at=now)
    return news


def _now(connection: duckdb.DuckDBPyConnection, table: TableName) -> datetime:
    """The commit's time, which identifies its rows: later than any earlier one, even if the clock went back."""
    now = datetime.now(UTC)
    last = last_loaded_at(connection, table, since=now)
    return max(now, last.astimezone(UTC) + timedelta(microseconds=1)) if last else now
