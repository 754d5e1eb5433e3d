"""`orgdata sync`: what changed goes to a vendor through a Dagster run, and the terminal shows the table of the UI.

Here: which run, and what the user sees. Keep out: what is sent (the vendor's folder), starting runs (pull.py).
"""

from __future__ import annotations

import shlex

import dagster as dg
from rich.console import Console
from rich.markdown import Markdown

from orgdata_dagster.cli.catalog import Catalog
from orgdata_dagster.cli.pull import day, pull
from orgdata_dagster.cli.workers import Outcome
from orgdata_dagster.orchestration.assets.metadata import SYNC_PLAN
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.tags import DRY_RUN_TAG, ONLY_REJECTED_TAG


def sync(catalog: Catalog, name: str, console: Console, *, dry_run: bool, rejected: bool) -> Outcome:
    """Run the sync and show its table. `dry_run` wins over the YAML; `rejected`: only the rows that are rejected.

    Raises UserError where there is no such sync.
    """
    key, today = catalog.sync(name), day(None, "")
    tags = {tag: "true" for tag, wanted in ((DRY_RUN_TAG, dry_run), (ONLY_REJECTED_TAG, rejected)) if wanted}
    (outcome,) = pull(catalog, [key], today, today, console, tags=tags, go_on=_command(name, dry_run, rejected))
    if table := _table(outcome.run_id, key):
        console.print(Markdown(table))
    return outcome


def _command(name: str, dry_run: bool, rejected: bool) -> str:
    options = [option for option, given in (("--dry-run", dry_run), ("--rejected", rejected)) if given]
    return shlex.join(["orgdata", "sync", name, *options])


def _table(run_id: str, key: dg.AssetKey) -> str | None:
    """What the run has shown of itself: with its materialization, or with an observation if it failed later on."""
    if not run_id:
        return None
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    with shared_instance() as instance:
        records = instance.get_records_for_run(run_id, of_type=kinds).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None or event.asset_key != key:
            continue
        shown = record.event_log_entry.asset_materialization or record.event_log_entry.asset_observation
        value = shown.metadata.get(SYNC_PLAN) if shown else None
        if isinstance(value, dg.MarkdownMetadataValue):
            return value.md_str
    return None
