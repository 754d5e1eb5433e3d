"""Streams: how a table of a vendor is pulled, and the step that pulls it.

Here: `Stream`, `Step`, and `target`, which turns a table's YAML into the warehouse's rules.
Add here when: streams need a new property. Keep out: Dagster definitions (asset.py, component.py), paging (clients).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import dagster as dg

from orgdata_dagster.orchestration.assets.intake import Intake, Pull, Pulled
from orgdata_dagster.orchestration.assets.landing import land
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.change_sensor import ChangeProbe
from orgdata_dagster.orchestration.config.table_options import Table
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.orchestration.tags import PullKind
from orgdata_dagster.vendors.base.reconciliation import Reconciliation
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.storage.connection import Warehouse

_UNLIMITED = 4  # concurrent requests if their number is not limited

Event = dg.MaterializeResult | dg.AssetMaterialization | dg.AssetCheckResult


@dataclass(frozen=True)
class Stream:
    """How one table of a vendor is pulled.

    table: the table's YAML.
    target: the warehouse's rules for the table.
    description: shown in the UI.
    file_format: the format of the vendor's answers.
    run: pulls the partitions of a step and lands them.
    pulls: which partitions can be pulled; see PullKind.
    partitions: None for a table without partitions.
    partitions_per_run: partitions per run of a backfill; None: all in one run.
    estimate: what a pull costs.
    declared: column -> type in the vendor's document.
    checks: name -> description of checks that `run` reports in addition to those of every table.
    probe: the change probe.
    upstream: the assets whose rows a pull needs.
    once: one pull with the vendor's client, for `orgdata preview`; needed if `run` does not use `Step.land`.
    unproven: what a pull cannot prove, in words.
    reconciliation: the comparison of the table with the vendor's own figures.
    """

    table: Table
    target: Target
    description: str
    file_format: Literal["csv", "json"]
    run: Callable[[Step], dg.MaterializeResult | Iterator[Event]]
    pulls: PullKind
    partitions: dg.TimeWindowPartitionsDefinition | None = None
    partitions_per_run: int | None = 400  # a backfill of a year is one run
    estimate: Estimate = field(default_factory=lambda: Estimate(1))
    declared: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    probe: ChangeProbe | None = None
    upstream: Sequence[dg.AssetKey] = ()
    once: Callable[[Any, Intake], Pulled] | None = None
    unproven: Sequence[str] = ()
    reconciliation: Reconciliation | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key: vendor and table."""
        return dg.AssetKey([self.target.table.schema, self.target.table.name])


@dataclass(frozen=True)
class Step:
    """One step of a Dagster run that pulls a stream.

    client: the vendor's client, open until the step ends.
    requests: the observer of the client's requests.
    """

    context: dg.AssetExecutionContext
    stream: Stream
    resource: Any
    client: Any
    warehouse: Warehouse
    requests: RequestLog

    @cached_property
    def partitions(self) -> Sequence[str | None]:
        """The partitions to pull, in order; [None] for a table without partitions."""
        return sorted(self.context.partition_keys) if self.stream.partitions else [None]

    @property
    def at_once(self) -> int:
        """The number of requests that the rate limit allows at the same time."""
        return self.resource.rule().in_flight or _UNLIMITED

    @property
    def types(self) -> Mapping[str, str]:
        """Column -> type, from the vendor's document and from the YAML, which takes precedence."""
        return {**self.stream.declared, **self.stream.table.columns}

    def land(self, pull: Pull, *, target: Target | None = None, workers: int = 1) -> dg.MaterializeResult:
        """Pull and commit the step's partitions; see `orchestration.assets.landing.land`."""
        return land(
            self.context,
            warehouse=self.warehouse,
            target=target or self.stream.target,
            pull=pull,
            requests=self.requests,
            declared=self.types,
            partitions=self.partitions,
            workers=workers,
        )


def target(
    vendor: str,
    table: Table,
    description: str,
    configured: Mapping[str, Sequence[str]] | None = None,
    documented: Mapping[str, str] | None = None,
    **rules: Any,
) -> Target:
    """The warehouse's rules for a table, from its YAML.

    configured: option of the vendor -> the columns that it names, which must all exist.
    documented: column -> its description in the vendor's document. These columns need not exist; descriptions in the
        YAML take precedence.
    rules: fields of Target, which take precedence over the YAML.
    """
    named = {"key": table.key, "columns": [*table.columns], "column_descriptions": [*table.column_descriptions]}
    from_yaml = {
        "configured": {**named, **(configured or {})},
        "key": tuple(table.key),
        "contract": table.contract,
        "description": description,
        "column_descriptions": {**(documented or {}), **table.column_descriptions},
    }
    return Target(TableName(vendor, table.name), **{**from_yaml, **rules})
