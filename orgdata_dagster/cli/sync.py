"""`orgdata sync`: send changed rows to a vendor through a Dagster run, and print the same table as the UI.

Here: the run to start, and the output. Keep out: what is sent (writeback/), starting runs (pull.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
from rich.console import Console
from rich.markdown import Markdown

from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.cli.pull import day, pull
from orgdata_dagster.cli.workers import Outcome
from orgdata_dagster.orchestration.assets.metadata import SYNC_SUMMARY
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.tags import ALL_TAG, DRY_RUN_TAG, ONLY_REJECTED_TAG


@dataclass(frozen=True)
class Options:
    """The options of the command.

    dry_run: only show what would be sent, whatever the YAML says.
    rejected: send only rows that are currently rejected.
    everything: also send rows whose current values were already accepted or rejected.
    """

    dry_run: bool = False
    rejected: bool = False
    everything: bool = False

    def given(self) -> list[tuple[str, str]]:
        """The options that were given, each with the run tag that passes it to the run."""
        every = (
            ("--dry-run", DRY_RUN_TAG, self.dry_run),
            ("--rejected", ONLY_REJECTED_TAG, self.rejected),
            ("--all", ALL_TAG, self.everything),
        )
        return [(option, tag) for option, tag, given in every if given]


def sync(loaded: LoadedProject, name: str, console: Console, options: Options, *, as_json: bool = False) -> Outcome:
    """Run the sync and print its table, or its figures as JSON.

    Raises UserError for an unknown sync, or options that contradict each other.
    """
    if options.rejected and options.everything:
        raise UserError("--rejected and --all contradict each other: use only one of them")
    key, today = loaded.sync(name), day(None, "")
    tags = {tag: "true" for _, tag in options.given()}
    go_on = shlex.join(["orgdata", "sync", name, *(option for option, _ in options.given())])
    (outcome,) = pull(loaded, [key], today, today, console, tags=tags, go_on=go_on)
    figures = _figures(outcome.run_id, key)
    if as_json:
        plain = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        task = outcome.task.asset
        print_json({"asset": task, "run_id": outcome.run_id, "error": outcome.error, "figures": plain})
    elif table := figures.get(SYNC_SUMMARY):
        console.print(Markdown(str(table)))
    return outcome


def _figures(run_id: str, key: dg.AssetKey) -> Mapping[str, object]:
    """The metadata of the run's materialization; if the run failed, of its observation."""
    if not run_id:
        return {}
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    with shared_instance() as instance:
        records = instance.get_records_for_run(run_id, of_type=kinds).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None or event.asset_key != key:
            continue
        shown = record.event_log_entry.asset_materialization or record.event_log_entry.asset_observation
        if shown and SYNC_SUMMARY in shown.metadata:
            return {name: value.value for name, value in shown.metadata.items()}
    return {}
