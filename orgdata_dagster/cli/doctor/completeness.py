"""Findings about the tables: pulls that failed or were stopped, gaps in the coverage, failing checks.

Here: the findings. Keep out: what a gap is (orchestration/automation/gaps.py), the state of tables (overview/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.cli.doctor.machine import PATIENCE
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.counting import counted, counted_span
from orgdata_dagster.orchestration.assets.resuming import unfinished_pulls
from orgdata_dagster.orchestration.automation.gaps import missing_partitions, reaches, waiting_for
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.orchestration.tags import PullKind, pulled_assets
from orgdata_dagster.overview.checks import failing, remedy_of
from orgdata_dagster.overview.emptied import ACCEPT, acceptance, in_words
from orgdata_dagster.overview.failures_in_dagster import failing_assets
from orgdata_dagster.overview.from_definitions import syncs_of
from orgdata_dagster.warehouse.ledger.coverage import Reach

_REASONS = 3  # number of reasons that are shown per failed pull


def findings(loaded: LoadedProject, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Yield one finding per unfinished pull and per table with gaps, or one good finding if there are none."""
    yield from isolated("coverage", lambda: _all(loaded, instance))


def checks(loaded: LoadedProject) -> Iterator[Finding]:
    """Yield one finding per check whose last result is a failure, or one good finding if there are none."""
    yield from isolated("checks", lambda: _checks(loaded))


def _checks(loaded: LoadedProject) -> Iterator[Finding]:
    found = failing(loaded.outline())
    for one in found:
        yield Finding("checks", str(one), not one.error, remedy_of(one), warning=not one.error)
    if not found:
        yield Finding("checks", "no check fails")


def _all(loaded: LoadedProject, instance: dg.DagsterInstance) -> Iterator[Finding]:
    graph = loaded.defs.resolve_asset_graph()
    kinds, now = pulled_assets(graph), datetime.now(UTC)
    warehouse = WarehouseResource(patience=PATIENCE, queue_patience=PATIENCE)
    reach, emptied = reaches(warehouse, kinds), waiting_for(warehouse, ACCEPT)
    found = 0
    failed = {one.name: one for one in failing_assets(instance, _named(graph, kinds))}
    unfinished = unfinished_pulls(instance)
    continued = {key: command for command, keys in unfinished.items() for key in keys}
    for command, keys in unfinished.items():
        names = sorted(key.to_user_string() for key in keys)
        reasons = dict.fromkeys(failed.pop(name).what for name in names if name in failed)
        why = "".join(f". {reason}" for reason in list(reasons)[:_REASONS])
        text = f"the last pull of {', '.join(names)} failed, was stopped or was killed; what it has landed is kept{why}"
        yield Finding("pull", text, False, command)
    for one in failed.values():
        yield Finding(one.name, f"the last run of {one.name} failed: {one.what}", False, one.remedy)
    for key, kind in kinds.items():
        name, partitions = key.to_user_string(), graph.get(key).partitions_def
        findings_of = partial(_of, instance, key, kind, partitions, reach[key], now, continued.get(key))
        if gone := emptied.get(key, []):
            found += 1
            yield Finding(name, in_words(gone), False, acceptance(name, gone))
        for finding in isolated(name, partial(findings_of, gone)):
            found += 1
            yield finding
    if not found:
        yield Finding("coverage", f"no gaps in {counted(len(kinds), 'table')}")


def _named(graph: Any, kinds: Iterable[dg.AssetKey]) -> dict[str, str]:
    """Asset -> its name for `orgdata sync`; "" for a table."""
    syncs = {key.to_user_string(): name for key, name in syncs_of(graph).items()}
    return {**{key.to_user_string(): "" for key in kinds}, **syncs}


def _of(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    kind: PullKind,
    partitions: dg.PartitionsDefinition | None,
    reach: Reach,
    now: datetime,
    go_on: str | None,
    emptied: Sequence[str | None],
) -> Iterator[Finding]:
    missing = [one for one in missing_partitions(instance, key, kind, partitions, reach, now) if one not in emptied]
    if not missing:
        return
    name, first, last = key.to_user_string(), missing[0], missing[-1]
    span = counted_span(missing, "partition") if first else "the last pull was not complete"
    days = f" --from {first}" + (f" --to {last}" if kind == "days" else "") if first else ""
    yield Finding(
        name,
        f"missing: {span}",
        False,
        f"{go_on or f'orgdata pull {name}{days}'} (while `orgdata dev` runs, the sensor catch_up does this too)",
    )
