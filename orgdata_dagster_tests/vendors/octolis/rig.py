"""Datasets of the sandbox, pulled into a warehouse by a run, and compared with the vendor's records.

Here: the shared parts of tests of whole pulls. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.octolis import DATASETS, Column, Dataset, Octolis, demo
from orgdata_dagster.sandbox.octolis.api import DEFAULT_KEY
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.base.asset import build_asset
from orgdata_dagster.vendors.octolis import component
from orgdata_dagster.vendors.octolis.component import DatasetTable
from orgdata_dagster.vendors.octolis.component import Octolis as OctolisComponent
from orgdata_dagster.vendors.octolis.pulling import ReadOptions
from orgdata_dagster.vendors.octolis.resource import OctolisResource
from orgdata_dagster.vendors.octolis.rounds import until_equal
from orgdata_dagster_tests.dagster_internals.instances import in_memory

FOLDER = Path(component.__file__).parent
OPTIONS = ReadOptions(lookback=timedelta(seconds=60), full_walk_every=None, page_size=1_000)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Pulled:
    """The result of a run for an asset."""

    success: bool
    metadata: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, dg.AssetCheckEvaluation] = field(default_factory=dict)
    failure: str = ""


class Rig:
    def __init__(self, stack: ExitStack, vendor: Octolis | None = None) -> None:
        self.vendor = vendor or demo(limits=UNLIMITED)
        self.sandbox = stack.enter_context(Sandbox(self.vendor))
        self.warehouse = WarehouseResource()
        self.first: dict[str, Pulled] = {}
        self._jobs: dict[str, dg.JobDefinition] = {}
        self._instance = stack.enter_context(in_memory())

    def resource(self, key: str = DEFAULT_KEY) -> OctolisResource:
        base = f"{self.sandbox.url}/octolis/v1/data"
        return OctolisResource(base_url=base, api_key=key, retries=Retries(attempts=2, first_wait=0.01))

    def pull(
        self,
        name: str,
        reading: ReadOptions = OPTIONS,
        *,
        key: str = DEFAULT_KEY,
        tags: dict[str, str] | None = None,
        **options: Any,
    ) -> Pulled:
        """Materialize the asset of a dataset; `options`: what its YAML has besides name and id."""
        made = repr((name, reading, key, options))
        if made not in self._jobs:
            table = DatasetTable(name=name, id=DATASETS.get(name, name), **options)
            run = partial(until_equal, query=table.query, options=reading)
            stream = replace(OctolisComponent(tables=[table]).stream(table), run=run)
            resources = {"octolis": self.resource(key), "warehouse": self.warehouse}
            defs = dg.Definitions([build_asset(stream, FOLDER)], resources=resources, executor=dg.in_process_executor)
            self._jobs[made] = defs.resolve_implicit_global_asset_job_def()
        result = self._jobs[made].execute_in_process(
            instance=self._instance, raise_on_error=False, run_config=QUIET, tags=tags
        )
        node = f"octolis__{name}"
        if not result.success:
            failed = next(event for event in result.all_node_events if event.is_step_failure)
            return Pulled(False, failure=str(failed.step_failure_data.user_failure_data.description))  # type: ignore[union-attr]
        (done,) = result.asset_materializations_for_node(node)
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        return Pulled(True, {name: value.value for name, value in done.metadata.items()}, checks)

    def landed_before(self, name: str, rows: Sequence[int]) -> None:
        """Record earlier pulls of the dataset with these numbers of rows."""
        for number in rows:
            event = dg.AssetMaterialization(["octolis", name], metadata={"dagster/row_count": number})
            self._instance.report_runless_asset_event(event)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table as the JSON they came from."""
        with self.warehouse.open().reading() as connection:
            cursor = connection.execute(
                f"SELECT * EXCLUDE (_orgdata_partition, _orgdata_loaded_at, _orgdata_run_id) FROM octolis.{name}"
            )
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, map(as_json, row), strict=True)) for row in cursor.fetchall()]

    def difference(self, name: str) -> dict[str, list[object]]:
        """Records that only the vendor or only the table has, some of each; empty if both are equal."""
        truth = Counter(map(complete, self.vendor.truth(DATASETS.get(name, name)) or ()))
        table = Counter(map(complete, self.table(name)))
        sides = {"missing": truth - table, "too many": table - truth}
        return {side: [rows.total(), *rows][:3] for side, rows in sides.items() if rows}


def complete(record: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """A record in a form that can be compared: missing values are null, and numbers are numbers."""
    return tuple(sorted((name, repr(_number(value))) for name, value in record.items() if value is not None))


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def as_json(value: Any) -> Any:
    """A value of the database as octolis writes it."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(sep=" ")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return value


def people(count: int = 2_500, **options: Any) -> Octolis:
    """A vendor with one dataset, `people`, whose records were modified one second apart, up to an hour ago."""
    dataset = Dataset(
        "people",
        [Column("email"), Column("n", "integer"), Column("vip", "boolean"), Column("phone")],
        [("email",), ("phone",)],
        **options,
    )
    start = datetime.now(UTC) - timedelta(hours=1, seconds=count)
    for number in range(count):
        row = {"email": f"p{number}@example.org", "phone": f"0{number}", "n": number, "vip": number % 3 == 0}
        dataset.upsert(row, start + timedelta(seconds=number))
    return Octolis([dataset], limits=UNLIMITED)
