"""Problems of tables: overdue ones, and gaps that catch-up gave up on.

Here: one function per kind. Keep out: how old a table may become (checks/freshness.py), giving up
(automation/catch_up.py).
"""

from __future__ import annotations

import json
from datetime import datetime

import dagster as dg

from orgdata_dagster.orchestration.automation import catch_up
from orgdata_dagster.orchestration.automation.alerts.problems import Found, Problem
from orgdata_dagster.orchestration.automation.freshness import freshness_of
from orgdata_dagster.orchestration.resources import WarehouseResource


def overdue(repository: dg.RepositoryDefinition, warehouse: WarehouseResource, now: datetime, found: Found) -> None:
    """Add the tables that are overdue."""
    for key, fresh in freshness_of(repository.asset_graph, warehouse, now).items():
        if fresh.state == "overdue":
            name = key.to_user_string()
            found.add(Problem("overdue", key.path[0], name, f"the table is overdue: {fresh}", f"assets/{name}"))


def given_up(instance: dg.DagsterInstance, found: Found) -> None:
    """Add the tables with partitions that catch-up gave up, from the cursor of its sensor."""
    states = [each for each in instance.all_instigator_state() if each.name == catch_up.NAME and each.instigator_data]
    for state in states:
        cursor = getattr(state.instigator_data, "cursor", None)
        for name, known in json.loads(cursor or "{}").items():
            if names := sorted(known["given_up"]):
                what = f"{names[0]} to {names[-1]} ({len(names)})" if len(names) > 1 else names[0] or "the whole table"
                text = f"catch_up gave up on {what}: see why its runs failed, then run orgdata pull {name}"
                days = f" --from {names[0]} --to {names[-1]}" if names[0] else ""
                found.add(Problem("gap", name.split("/")[0], name, f"{text}{days}", f"assets/{name}"))
