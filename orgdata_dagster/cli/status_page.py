"""`orgdata status --html FILE`: the overview as an HTML page.

Here: writing the file. Keep out: its content (overview/), the terminal (status_report.py).
"""

from __future__ import annotations

from pathlib import Path

import click

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.overview.asset import overview_of
from orgdata_dagster.overview.html_page import page


def write(file: str) -> None:
    """Write the page to a file; "-" is standard output."""
    loaded = loaded_project.load()
    with shared_instance() as instance:
        seen = overview_of(instance, loaded.defs.resolve_asset_graph(), loaded.resources)
    with click.open_file(file, "w", encoding="utf-8") as target:
        target.write(page(seen))
    if file != "-":
        click.echo(f"wrote {Path(file).absolute()}")
