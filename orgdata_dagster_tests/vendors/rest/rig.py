"""The tracker's lists, pulled into a warehouse by a run, and compared with the vendor's rows.

Here: the shared parts of tests of whole pulls. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import dagster as dg
import yaml

from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.tracker import TOKEN, Tracker, demo
from orgdata_dagster.vendors.rest.component import RestApi
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.loading import Loading
from orgdata_dagster_tests.vendors.rest.shapes import HEAD

DAYS = 3
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Rig:
    """Runs of the assets on a separate instance."""

    def __init__(self, stack: ExitStack, vendor: Tracker | None = None) -> None:
        self.vendor = vendor or demo(days=DAYS, rows=70, limits=UNLIMITED)
        self.sandbox = stack.enter_context(Sandbox(self.vendor))
        self.warehouse = WarehouseResource()
        self.instance = stack.enter_context(in_memory())
        self._load = Loading(RestApi, warehouse=self.warehouse)

    def variables(self) -> dict[str, str]:
        return {"TRACKER_BASE_URL": f"{self.sandbox.url}/tracker", "TRACKER_TOKEN": TOKEN}

    def definitions(self, tables: str, /, **changes: Any) -> dg.Definitions:
        """The definitions that the Component makes of these tables."""
        written = yaml.safe_load(HEAD.replace("START", today(back=DAYS)) + tables)["attributes"]
        return self._load({**written, **changes})

    def pull(
        self, tables: str, *names: str, tags: Mapping[str, str] | None = None, **changes: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialize tables; tables with days for all days of the demo."""
        job = self.definitions(tables, **changes).resolve_implicit_global_asset_job_def()
        result = None
        for name in names:
            has_days = job.asset_layer.get(dg.AssetKey(["tracker", name])).partitions_def is not None
            days = {RANGE_START: today(back=DAYS), RANGE_END: today()} if has_days else {}
            result = job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(["tracker", name])],
                tags={**days, **(tags or {})},
                raise_on_error=False,
                run_config=QUIET,
            )
        assert result is not None
        return result

    def check(self, tables: str) -> dg.ExecuteInProcessResult:
        """Run the checks that do not belong to a table's pull."""
        defs = self.definitions(tables)
        return dg.materialize(
            [*(defs.assets or ()), *(defs.asset_checks or ())],  # type: ignore[list-item]
            selection=dg.AssetSelection.checks(*(defs.asset_checks or ())),  # type: ignore[arg-type]
            resources=defs.resources,
            instance=self.instance,
            run_config=QUIET,
        )

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def table(self, name: str) -> dict[int, tuple[str, str | None]]:
        """Id -> last change and title, as text; every id once."""
        rows = self.sql(
            f"SELECT id, strftime(updated_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%g') || 'Z', title "
            f"FROM tracker.{name}"
        )
        found = {int(number): (at, title) for number, at, title in rows}
        assert len(found) == len(rows), "a row is there twice"
        return found

    def truth(self, name: str) -> dict[int, tuple[str, str | None]]:
        """The same for the vendor's rows."""
        return {row["id"]: (row["updated_at"], row["title"]) for row in self.vendor.lists[name].all()}

    def coverage(self, name: str) -> list[str | None]:
        """The reasons why the table is not complete."""
        return [row[0] for row in self.sql(f"SELECT reason FROM _orgdata.coverage WHERE table_name = '{name}'")]


def failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]


def lines(shape: str) -> int:
    """The number of YAML lines that a shape needs, including its head."""
    return len([line for line in (HEAD + shape).splitlines() if line.strip()])


__all__ = ["DAYS", "Rig", "failure", "lines"]
