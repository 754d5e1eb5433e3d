"""Reconciliation: an asset check that compares a table with the vendor's own figures after every pull.

Here: `Reconciliation`, and the check made from it. Keep out: the figures (a vendor's reconciling.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.orchestration.assets.interrupts import uninterrupted
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.gaps import Coverage, covered
from orgdata_dagster.orchestration.checks.results import of_unanswered
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.warehouse.commit.transaction import record_requests
from orgdata_dagster.warehouse.storage.connection import Warehouse


@dataclass(frozen=True)
class Reconciliation:
    """A comparison of a table with the vendor's own figures.

    name, description: of the check.
    compare: compares, with the vendor's client, the warehouse, and the table's coverage. A VendorError makes the check
        warn that nothing could be compared.
    """

    name: str
    description: str
    compare: Callable[[Any, Warehouse, Coverage], dg.AssetCheckResult]

    def check(self, key: dg.AssetKey) -> dg.AssetChecksDefinition:
        """The check of the asset `key`, which runs after every pull."""
        vendor = key.path[0]

        @dg.asset_check(
            asset=key,
            name=self.name,
            pool=pool(vendor),
            required_resource_keys={vendor, "warehouse"},
            description=self.description,
        )
        @uninterrupted
        def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            warehouse: WarehouseResource = context.resources.warehouse
            resource: VendorResource = getattr(context.resources, vendor)
            known = covered(warehouse, [key])[key]
            requests = RequestLog()
            try:
                with resource.client(requests) as client:
                    return self.compare(client, warehouse.open(), known)
            except VendorError as error:
                return of_unanswered(error)
            finally:
                record_requests(warehouse.open(), requests.take(), run_id=context.run.run_id)

        return check
