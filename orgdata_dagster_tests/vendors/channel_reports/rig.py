"""Reports of the sandbox, pulled into a warehouse by a run, and compared with the vendor's counts.

Here: the shared parts of tests of whole pulls. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import RANGE_END, RANGE_START
from orgdata_dagster.sandbox.channel_reports import ChannelReports, demo
from orgdata_dagster.sandbox.channel_reports.api import COUNTED_TYPES
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.log import Entry
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.channel_reports import component
from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName
from orgdata_dagster_tests import warehouses
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.loading import Loading

DAYS = 6 if warehouses.KIND == warehouses.FILE else 4
DAY = timedelta(days=1)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Window = tuple[datetime, datetime]
Rows = Counter[tuple[tuple[str, Any], ...]]


def attributes(**others: Any) -> dict[str, Any]:
    """The YAML of the tests: three channels, no limit."""
    usual = {
        "start_date": today(back=60),
        "channels": [1, 2, 3],
        "limits": {"concurrent": 2, "per_minute": None},
        "retries": {"attempts": 2, "first_wait": 0.01},
    }
    return usual | others


def midnight(back: int = 0) -> datetime:
    """The start of the UTC day so many days ago."""
    return datetime.fromisoformat(today(back)).replace(tzinfo=UTC)


def days(first: int, last: int = 0) -> list[Window]:
    """The days between two numbers of days ago, both included."""
    return [(midnight(back), midnight(back - 1)) for back in range(first, last - 1, -1)]


class Rig:
    """Runs of the assets on a separate instance."""

    def __init__(self, stack: ExitStack) -> None:
        self.vendor: ChannelReports = demo(days=DAYS, reports_a_day=5, limits=UNLIMITED)
        self.sandbox = stack.enter_context(Sandbox(self.vendor))
        self.warehouse = WarehouseResource()
        self.instance = stack.enter_context(in_memory())
        self._load = Loading(component.ChannelReports, warehouse=self.warehouse)

    def definitions(self, **others: Any) -> dg.Definitions:
        """The definitions that the Component makes of its YAML."""
        return self._load(attributes(**others))

    def pull(
        self, *names: str, first: str, last: str | None = None, tags: Mapping[str, str] | None = None, **others: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialize some tables for partitions, in one run."""
        return (
            self.definitions(**others)
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(["channel_reports", name]) for name in names],
                tags={RANGE_START: first, RANGE_END: last or first, **(tags or {})},
                raise_on_error=False,
                run_config=QUIET,
            )
        )

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def types(self, name: str) -> dict[str, str]:
        """The vendor's columns of a table and their types."""
        with self.warehouse.open().reading() as connection:
            columns = table_columns(connection, TableName("channel_reports", name))
        return {column: kind for column, kind in columns.items() if not column.startswith(OWN_PREFIX)}

    def rows(self, name: str) -> Rows:
        """The rows of a table, with repetitions."""
        names = sorted(self.types(name))
        with self.warehouse.open().reading() as connection:
            found = connection.execute(f"SELECT {', '.join(names)} FROM channel_reports.{name}").fetchall()
        return Counter(tuple(zip(names, row, strict=True)) for row in found)

    def truth(self, name: str, windows: Iterable[Window], channels: Iterable[int] = (1, 2, 3)) -> Rows:
        """The rows of an endpoint for time ranges, as the table should have them."""
        return Counter(
            _row({**row, "channel_id": channel, "start_date": start, "end_date": end})
            for channel in channels
            for field in self._fields(name, channel)
            for start, end in windows
            for row in self.vendor.truth(name, channel, start, end, field) or ()
        )

    def asked(self, name: str = "") -> list[Entry]:
        """The requests to an endpoint that the vendor has received."""
        return [entry for entry in self.sandbox.log.entries() if entry.endpoint.endswith(name)]

    def _fields(self, name: str, channel: int) -> list[int | None]:
        if name != "reports_per_field_selection":
            return [None]
        fields = self.vendor.channels[channel].fields.values()
        return [field.id for field in fields if field.field_type in COUNTED_TYPES]


def one_day(entry: Entry) -> bool:
    """Whether a request asks for a day, and not for the whole range with which the check compares the days."""
    start, end = (datetime.fromisoformat(entry.query[name]) for name in ("start_date", "end_date"))
    return end - start == timedelta(days=1)


def _row(row: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    flat = {key: value for key, value in row.items() if key != "styles"}
    flat |= {f"styles_{size}": address for size, address in row.get("styles", {}).items()}
    for name in {"created_at", "datetime_range_start"} & flat.keys():
        flat[name] = datetime.fromisoformat(flat[name])
    return tuple(sorted(flat.items()))


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The message of the one failed step; fails if there is not exactly one."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)


@contextmanager
def opened(home: Path) -> Iterator[Rig]:
    """A rig with a home in this folder, and the environment of both."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv(settings.HOME, str(home))
        patch.setenv(settings.WAREHOUSE, warehouses.variable(home))
        rig = Rig(stack)
        for name, value in environment(rig.sandbox.url).items():
            patch.setenv(name, value)
        yield rig
