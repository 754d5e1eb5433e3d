"""Entities of the sandbox, pulled into a warehouse by a run, and compared with the vendor's rows.

Here: the shared parts of tests of whole pulls. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics import Accutics, demo
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.accutics import component
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName, quoted
from orgdata_dagster.warehouse.types import lossless
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.loading import Loading

DAYS = 2
ENTITIES = [
    {"name": "submissions", "path": "/submissions", "paging": "page", "sort": "-updated_at"},
    {"name": "records", "path": "/records", "paging": "cursor"},
    {"name": "inputs", "path": "/inputs", "paging": "page"},  # in the vendor's order, by which touched rows move away
    {"name": "users", "path": "/users", "paging": "page"},
]
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def vendor(rows: int = 200) -> Accutics:
    """Two days of the demo's entities, with pages so small that yesterday has several, but three of a small one."""
    made = demo(days=DAYS, rows=rows, limits=UNLIMITED)
    for entity in made.entities.values():
        # how many of the rows are yesterday's depends on the hour
        dated = sum(str(row.get("updated_at")).startswith(today(back=1)) for row in entity.truth())
        entity.max_page_size = min(20, -(-(dated or len(entity)) // 3))
    return made


def entity(name: str, /, **changes: Any) -> dict[str, Any]:
    """An entity as the tests write it in YAML; None takes an attribute out."""
    known = next(each for each in ENTITIES if each["name"] == name)
    cursor = {} if name == "users" else {"cursor_column": "updated_at"}
    written = {"key": ["id"], **cursor, **known, **changes}
    return {attribute: value for attribute, value in written.items() if value is not None}


class Rig:
    """Runs of the assets on a separate instance."""

    def __init__(self, stack: ExitStack, made: Accutics | None = None) -> None:
        self.vendor = made or vendor()
        self.sandbox = stack.enter_context(Sandbox(self.vendor))
        self.warehouse = WarehouseResource()
        self._instance = stack.enter_context(in_memory())
        self._load = Loading(component.Accutics, warehouse=self.warehouse)

    def variables(self) -> dict[str, str]:
        return {"ACCUTICS_BASE_URL": f"{self.sandbox.url}/accutics", "ACCUTICS_API_TOKEN": self.vendor.jwt()}

    def definitions(self, *entities: Mapping[str, Any], **attributes: Any) -> dg.Definitions:
        """The definitions that the Component makes of entities; by default all of the demo."""
        written = {
            "start_date": today(back=30),
            "limits": {"per_minute": None},
            "retries": {"attempts": 2, "first_wait": 0.01},
            "tables": list(entities) or [entity(str(each["name"])) for each in ENTITIES],
        }
        return self._load(written | attributes)

    def pull(
        self, name: str, first: str | None = None, last: str | None = None, **changes: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialize an entity for days (default: today), with `changes` to its YAML."""
        days = {RANGE_START: first or today(), RANGE_END: last or today()}
        has_days = changes.get("cursor_column", name != "users")
        job = self.definitions(entity(name, **changes)).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self._instance, tags=days if has_days else {}, raise_on_error=False, run_config=QUIET
        )

    def pull_everything(self, name: str) -> dg.ExecuteInProcessResult:
        """Materialize an entity for all days of the demo."""
        return self.pull(name, today(back=DAYS), today())

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def types(self, name: str) -> dict[str, str]:
        """The vendor's columns of a table and their types."""
        with self.warehouse.open().reading() as connection:
            columns = table_columns(connection, TableName("accutics", name))
        return {column: kind for column, kind in columns.items() if not column.startswith(OWN_PREFIX)}

    def difference(self, name: str) -> dict[str, list[object]]:
        """Rows that only the vendor or only the table has, some of each; empty if both are equal."""
        types = self.types(name)
        texts = [
            lossless.as_text(column, kind) if kind in (lossless.INSTANT, "JSON") else f"to_json({quoted(column)})"
            for column, kind in types.items()
        ]
        found = self.sql(f"SELECT {', '.join(f'CAST({text} AS VARCHAR)' for text in texts)} FROM accutics.{name}")
        table = sorted(_row(types, zip(types, row, strict=True)) for row in found)
        truth = sorted(_row(types, row.items(), is_json=False) for row in self.vendor.entities[name].truth())
        sides = {"missing": [row for row in truth if row not in set(table)]}
        sides["too many"] = [row for row in set(table) if row not in set(truth) or table.count(row) > 1]
        return {side: [len(rows), *rows[:2]] for side, rows in sides.items() if rows}


def _row(types: Mapping[str, str], row: Iterable[tuple[str, Any]], *, is_json: bool = True) -> str:
    """A row in a form that can be compared: missing values are null, and instants have one spelling."""
    values = {}
    for name, value in row:
        if value is None:
            continue
        if types.get(name) == lossless.INSTANT:
            values[name] = instants.to_text(instants.from_text(value))
        else:
            values[name] = json.loads(value) if is_json else value
    return json.dumps(values, sort_keys=True)
