"""A warehouse with a table `marts.contacts`, a sandbox to send it to, and runs of syncs as a schedule would start them.

Here: the shared parts of tests of syncs. Add here when: two tests need it. Keep out: assertions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import dagster as dg

from orgdata_dagster.orchestration.config.request_options import Retries
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import ALL_TAG, DRY_RUN_TAG, ONLY_REJECTED_TAG
from orgdata_dagster.sandbox.limits import UNLIMITED, Limits
from orgdata_dagster.sandbox.octolis import Column, Dataset, Octolis, Webhook, Written
from orgdata_dagster.sandbox.octolis.api import DEFAULT_KEY
from orgdata_dagster.sandbox.octolis.schema import Key
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.octolis.resource import OctolisLimits, OctolisResource
from orgdata_dagster.vendors.octolis.sync.component import OctolisSync, OctolisWriteback
from orgdata_dagster.writeback.asset import build_asset
from orgdata_dagster.writeback.destination import Pace
from orgdata_dagster_tests.dagster_internals.instances import in_memory
from orgdata_dagster_tests.vendors.octolis.rig import QUIET, Pulled

COLUMNS = [
    Column("email"), Column("phone"), Column("n", "integer"), Column("score", "float"), Column("vip", "boolean"),
    Column("born_at", "timestamp"), Column("city", default="Paris"), Column("origin", default="import", protected=True),
]  # fmt: skip
CONTACTS = """
CREATE SCHEMA IF NOT EXISTS marts;
CREATE OR REPLACE TABLE marts.contacts AS SELECT i AS id, 'p' || i || '@example.org' AS email, '0' || i AS phone,
    CAST(i AS BIGINT) AS n, round(i / 8, 2) AS score, i % 3 = 0 AS vip, DATE '1990-01-01' + CAST(i % 900 AS INTEGER)
    AS born_at FROM range({rows}) AS t(i)
"""
SOURCE = "SELECT * EXCLUDE (id) FROM marts.contacts ORDER BY id"
SYNC: dict[str, Any] = {
    "name": "out", "dataset": "people", "source": SOURCE, "key": ["email"], "batch_size": 50, "dry_run": False,
}  # fmt: skip


class Counting(Dataset):
    """A dataset that counts how often it received each email, and each email with its `n`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received: Counter[str] = Counter()
        self.versions: Counter[tuple[str, Any]] = Counter()

    def upsert(self, payload: Mapping[str, Any], at: datetime | None = None) -> Written:
        written = super().upsert(payload, at)
        self.received[str(payload.get("email"))] += 1
        self.versions[str(payload.get("email")), payload.get("n")] += 1
        return written


class Rig:
    def __init__(
        self, stack: ExitStack, *, rows: int = 120, keys: tuple[Key, ...] = (("email",),), limits: Limits = UNLIMITED
    ) -> None:
        self.people = Counting("people", COLUMNS, keys)
        hooks = [Webhook("hook", frozenset({"PUT"}), {"X-Source": "orgdata"})]
        read_only = Dataset("sql", COLUMNS, keys, read_only=True)
        self.vendor = Octolis([self.people, read_only], hooks, limits=limits)
        self.sandbox = stack.enter_context(Sandbox(self.vendor))
        self.warehouse = WarehouseResource()
        self.instance = stack.enter_context(in_memory())
        self.read: dict[str, str] = {}  # datasets that the project reads: name and id
        self.write(CONTACTS.format(rows=rows))

    def resource(self, key: str = DEFAULT_KEY, **limits: float) -> OctolisResource:
        usual = {"points_per_second": 1e6, "points_per_minute": 1e6, "account_points_per_minute": 1e9}
        return OctolisResource(
            base_url=f"{self.sandbox.url}/octolis/v1/data",
            api_key=key,
            retries=Retries(attempts=2, first_wait=0.01),
            limits=OctolisLimits(**{**usual, **limits}),
        )

    def run(
        self,
        component: OctolisWriteback | None = None,
        *,
        dry_run: bool = False,
        rejected: bool = False,
        everything: bool = False,
        resource: OctolisResource | None = None,
        pace: Callable[[OctolisResource], Pace] | None = None,
        **attributes: Any,
    ) -> Pulled:
        """Materialize the sync with these changes to its attributes, or another Component's asset."""
        component = component or OctolisSync(**{**SYNC, **attributes})
        tags = {DRY_RUN_TAG: str(dry_run).lower(), ONLY_REJECTED_TAG: str(rejected).lower()}
        tags |= {ALL_TAG: str(everything).lower()}
        asset = build_asset(component, component.destination(self.read), pace=pace)
        result = dg.materialize(
            [asset],
            resources={"octolis": resource or self.resource(), "warehouse": self.warehouse},
            instance=self.instance,
            raise_on_error=False,
            run_config=QUIET,
            tags=tags,
        )
        if not result.success:
            failed = next(event for event in result.all_node_events if event.is_step_failure)
            data = failed.step_failure_data.user_failure_data
            return Pulled(False, failure=str(data.description if data else failed.step_failure_data.error))
        (done,) = result.asset_materializations_for_node("__".join(component.asset_key.path))
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        return Pulled(True, {name: value.value for name, value in done.metadata.items()}, checks)

    def write(self, sql: str) -> None:
        """Change the source."""
        with self.warehouse.open().writing() as connection:
            connection.execute(sql)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.open().reading() as connection:
            return connection.execute(sql).fetchall()

    def requests(self) -> int:
        """The number of requests that the sandbox has received."""
        return len(self.sandbox.log.entries())

    def differences(self) -> list[tuple[str, object, object]]:
        """Emails whose record differs from the source, with both; empty if there are none."""
        columns = [column.name for column in COLUMNS if column.name not in ("city", "origin")]
        truth = {row["email"]: tuple(row[name] for name in columns) for row in self.people.truth()}
        text = "strftime(born_at, '%Y-%m-%d 00:00:00') AS born_at"
        source = self.sql(f"SELECT {', '.join(columns[:-1])}, {text} FROM marts.contacts")
        wanted = {row[0]: row for row in source}
        return [(key, wanted.get(key), truth.get(key)) for key in wanted | truth if wanted.get(key) != truth.get(key)]
