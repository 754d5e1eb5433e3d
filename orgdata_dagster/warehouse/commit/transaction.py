"""The commit: rows, coverage, load record and API calls of some partitions, in one transaction.

Here: `commit` and what a load says of itself. Add here: another write disposition. Keep out: how rows were fetched.

A partition is afterwards either the old one or the new one. Two runs may bring the same partition: the one whose
snapshot is newer wins, whichever commits last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import duckdb

from orgdata_dagster.warehouse.commit import configured, evolution, keys, naming, views
from orgdata_dagster.warehouse.commit.differences import Difference, differences, remember
from orgdata_dagster.warehouse.commit.evolution import Contract, SchemaChange
from orgdata_dagster.warehouse.commit.inserting import Load, TypeSurprise, insert
from orgdata_dagster.warehouse.commit.merging import keep_newest, merge
from orgdata_dagster.warehouse.commit.ready import ReadyRows
from orgdata_dagster.warehouse.ledger import store
from orgdata_dagster.warehouse.ledger.coverage import until
from orgdata_dagster.warehouse.ledger.store import ApiRequest, Interval
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

WriteDisposition = Literal["replace", "merge", "append"]


@dataclass(frozen=True)
class Target:
    """A table and its rules. `key`: the vendor's key, `cursor`: the column that tells its versions apart.

    `configured`: the names of columns that a person wrote, by field: each must exist before a row lands.
    `snapshots`: every partition holds all there was at its time, so that the last one is the present. `refuse` is asked
    before anything is changed, and raises Refused for what must not be stored. `afterwards` takes a vendor's own steps
    in the same transaction, once the rows are in; it gets the commit's instant (their `_orgdata_loaded_at`) and run,
    and returns why the table is not complete after all, if so.
    """

    table: TableName
    key: tuple[str, ...] = ()
    cursor: str | None = None
    write_disposition: WriteDisposition = "replace"
    contract: Contract = "evolve"
    description: str = ""
    column_descriptions: Mapping[str, str] = field(default_factory=dict)
    configured: Mapping[str, Sequence[str]] = field(default_factory=dict)
    snapshots: bool = False
    refuse: Callable[[duckdb.DuckDBPyConnection, Target, Stage, PartitionLoad], None] | None = None
    afterwards: Callable[[duckdb.DuckDBPyConnection, Target, datetime, str], str | None] | None = None


@dataclass(frozen=True)
class PartitionLoad:
    """What is to be committed of one partition, besides its staged rows.

    `as_of`: the vendor's time when the pull began, or the commit's own where that is earlier. `after`: replace only
    rows whose cursor is later (None: all), and of every key keep the newest. `whole`: the rows are all there are, so
    that a merge drops stored ones that did not come again. `coverage`: what the rows prove. `doubted`: the answer
    contradicts what is stored; that stays, and the staged rows are not stored. The numbers are for the record.
    """

    partition: str | None
    as_of: datetime
    after: datetime | None = None
    coverage: tuple[Interval, ...] = ()
    pages: int = 0
    bytes: int = 0
    requests: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    whole: bool = False
    doubted: bool = False
    replaced_characters: int = 0


@dataclass(frozen=True)
class Committed:
    """What a commit did: rows by partition, the types to expect of the next rows, schema changes, and `superseded`: the
    partitions for which a newer snapshot was there already. `differences`: what became of partitions that were replaced
    whole, without those that were there for the first time. `inserted`: rows that were read out of the pages. `apart`:
    of the rows that stayed, how many cannot be told apart. `at`: the commit's instant."""

    rows: Mapping[str | None, int]
    expected: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[SchemaChange, ...] = ()
    superseded: frozenset[str | None] = frozenset()
    differences: Mapping[str | None, Difference] = field(default_factory=dict)
    inserted: int = 0
    apart: keys.Keys = field(default_factory=keys.Keys)
    at: datetime | None = None


def commit(
    warehouse: Warehouse,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    *,
    run_id: str,
    requests: Sequence[ApiRequest] = (),
    ready: ReadyRows | None = None,
) -> Committed:
    """Land the staged rows of `loads`' partitions, all or nothing. `ready`: the rows of the stage, for a single load.

    Raises ContractViolation (frozen columns changed), Refused (by the target's own rule), RowCountMismatch (other rows
    were read than the pages hold); the warehouse is then as it was.
    """
    stage.look()  # before the lock
    if stage.wide and not stage.exact:
        stage.prove()
    if ready is not None:
        ready.finish()
    while True:
        try:
            return _attempt(warehouse, target, stage, loads, run_id, requests, ready)
        except TypeSurprise:
            stage.analyse()
        except naming.NamesMoved as moved:
            stage.rename(moved.names)
            if stage.wide:
                stage.analyse()
        ready = None


def record_requests(warehouse: Warehouse, requests: Sequence[ApiRequest], *, run_id: str) -> None:
    """Note API calls that no load came of."""
    if not requests:
        return
    with warehouse.writing() as connection:
        store.create(connection)
        store.write_requests(connection, requests, run_id)


def _attempt(
    warehouse: Warehouse,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    run_id: str,
    requests: Sequence[ApiRequest],
    ready: ReadyRows | None,
) -> Committed:
    done: Committed | None = None

    def work() -> Committed:
        nonlocal done
        if done and _is_there(warehouse, stage, target.table, run_id, done):
            return done
        with warehouse.transaction(stage.connection) as connection:
            done = _transaction(connection, target, stage, loads, run_id, requests, ready)
        return done

    try:
        return with_room(stage.connection, work)
    except Exception:
        if done and _is_there(warehouse, stage, target.table, run_id, done):
            return done
        raise


def _is_there(warehouse: Warehouse, stage: Stage, table: TableName, run_id: str, done: Committed) -> bool:
    """Whether an attempt that failed at its COMMIT, or behind it, has landed all the same: then to try again would
    append its rows once more. The ledger knows, for its record is part of the transaction."""
    with warehouse.reading(stage.connection) as connection:
        return done.at is not None and store.has_load(connection, table, run_id, done.at)


def _transaction(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    stage: Stage,
    loads: Sequence[PartitionLoad],
    run_id: str,
    requests: Sequence[ApiRequest],
    ready: ReadyRows | None,
) -> Committed:
    store.create(connection)
    present = datetime.now(UTC)
    loads = [_not_ahead(load, present) for load in loads]
    newest = store.newest_snapshots(connection, target.table, [load.partition for load in loads], present)
    # an older snapshot must not replace a newer one; rows that are only merged or appended take nothing away
    replaces = target.write_disposition == "replace"
    stale = frozenset(
        load.partition
        for load in loads
        if (replaces or load.whole) and load.as_of < newest.get(load.partition, load.as_of)
    )
    fresh = [load for load in loads if load.partition not in stale and not load.doubted]
    for load in fresh:
        if target.refuse is not None:
            target.refuse(connection, target, stage, load)
    existing = evolution.table_columns(connection, target.table)
    naming.confirm(connection, target.table, stage, existing)
    target = configured.resolved(target, stage, existing)
    planned = evolution.plan(connection, target.table, stage, target.contract)
    evolution.apply(connection, planned)
    now = _now(connection, target.table)
    replaced = _delete(connection, target, fresh, newest.keys())
    prepared = ready is not None and bool(fresh) and ready.suit(planned)
    if ready is not None and prepared:
        inserted = ready.move(connection, Load(now, run_id))
    else:
        groups = stage.groups({load.partition for load in fresh})
        inserted = sum(insert(connection, target.table, stage, group, planned, Load(now, run_id)) for group in groups)
    if target.write_disposition == "merge":
        whole = [load.partition for load in fresh if load.whole]
        merge(connection, target, now, whole, alone=prepared)
    elif target.key and any(load.after for load in fresh):
        keep_newest(connection, target, now)
    apart = keys.look(connection, target, now)
    doubt = target.afterwards(connection, target, now, run_id) if target.afterwards else None
    rows = _rows_by_partition(connection, target.table, now, fresh)
    changes = _note_changes(connection, target, planned, run_id, now)
    records = [
        store.Record(
            target.table,
            load.partition,
            run_id,
            "superseded" if load.partition in stale else "doubted" if load.doubted else "landed",
            load.as_of,
            now,
            rows.get(load.partition, 0),
            load.pages,
            load.bytes,
            load.requests,
            load.seconds,
            load.waited,
            sorted(stage.columns),
            load.replaced_characters,
        )
        for load in loads
    ]
    store.write_loads(connection, records)
    proven = zip(records, (_doubted(load.coverage, doubt) for load in loads), strict=True)
    store.write_coverage(connection, [fact for fact in proven if fact[0].partition not in stale])
    store.write_requests(connection, requests, run_id)
    views.refresh(connection, target, bool(changes or planned.created))
    expected = evolution.expected_types(connection, target.table)
    differing = differences(connection, target.table, replaced, now)
    return Committed(rows, expected, tuple(changes), stale, differing, inserted, apart, now)


def _not_ahead(load: PartitionLoad, now: datetime) -> PartitionLoad:
    """The load without claims about the future, whoever's clock they came from."""
    return replace(load, as_of=min(load.as_of, now), coverage=until(load.coverage, now))


def _doubted(coverage: tuple[Interval, ...], doubt: str | None) -> tuple[Interval, ...]:
    return tuple(replace(part, reason=part.reason or doubt) for part in coverage) if doubt else coverage


def _delete(
    connection: duckdb.DuckDBPyConnection,
    target: Target,
    loads: Sequence[PartitionLoad],
    known: Collection[str | None],
) -> Sequence[str | None]:
    """Make room for the loads; returns those of the `known` partitions that are replaced whole."""
    if target.write_disposition != "replace":
        return []
    whole = [load.partition for load in loads if load.after is None]
    replaced = [partition for partition in whole if partition in known]
    remember(connection, target.table, replaced)
    connection.execute(f"DELETE FROM {target.table.sql} WHERE {PARTITION_IS_IN}", [whole, None in whole])
    if target.cursor in evolution.table_columns(connection, target.table):  # else nothing but empty pages so far
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
    connection: duckdb.DuckDBPyConnection, target: Target, planned: evolution.Plan, run_id: str, now: datetime
) -> list[SchemaChange]:
    """Record what is new; a column that is missing is news only the first time."""
    before = store.last_columns(connection, target.table)
    news = [
        change
        for change in planned.changes
        if not planned.created and (change.change != "missing" or change.column in before)
    ]
    for change in news:
        fact = (change.column, change.change, change.before, change.after)
        store.write_schema_change(connection, target.table, fact, run_id, now)
    return news


def _now(connection: duckdb.DuckDBPyConnection, table: TableName) -> datetime:
    """The commit's time, later than any before it even if the clock jumped back: it names the rows of this commit."""
    row = connection.execute(
        "SELECT max(loaded_at) FROM _orgdata.loads WHERE schema_name = ? AND table_name = ?", [table.schema, table.name]
    ).fetchone()
    now = datetime.now(UTC)
    return max(now, row[0].astimezone(UTC) + timedelta(microseconds=1)) if row and row[0] else now
