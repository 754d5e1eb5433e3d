"""The snapshot of a project's job, made once for all of its runs.

Here: `make_once`. Keep out: executing runs (cli/workers.py).

Why: each run stores a description of its job and refers to that of the whole job. `execute_in_process` makes a new copy
of the whole job for this each time, which must be described again: 20 ms of CPU time per run with 10 tables, and 70 ms
with 200.
Fallback: Dagster describes it for each run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import dagster as dg

from orgdata_dagster.dagster_internals import NotThere, private, require

_PARAMETERS = ["resource_defs", "input_values", "op_selection", "asset_selection"]


def make_once(job: dg.JobDefinition) -> None:
    """Make the copy of a job and its snapshot now, for all further runs of this process and its forked children."""
    with suppress(NotThere), private("copy of a job for a run"):
        require(dg.JobDefinition, "as_ephemeral_job", "get_subset", "get_job_snapshot_id")
        make = job.as_ephemeral_job
        if [*inspect.signature(make).parameters] != _PARAMETERS:
            raise ImportError("as_ephemeral_job has other parameters")
        copy = make(resource_defs={}, input_values={})
        copy.get_job_snapshot_id()

        def copied(
            resource_defs: Mapping[str, Any],
            input_values: Mapping[str, object],
            op_selection: Sequence[str] | None = None,
            asset_selection: Sequence[dg.AssetKey] | None = None,
        ) -> dg.JobDefinition:
            if resource_defs or input_values or op_selection:
                return make(resource_defs, input_values, op_selection, asset_selection)
            return copy.get_subset(asset_selection=frozenset(asset_selection)) if asset_selection else copy

        job.as_ephemeral_job = copied  # type: ignore[method-assign]
