"""`orgdata init`: create a project.

Here: the folder, the vendors, and what to do next. Keep out: the project's files (project/scaffold.py).
"""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

import click

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.project import scaffold

_DAYS = 7  # of history that a new project pulls; for more, the user changes start_date
_HARMLESS = {".git", ".venv"}  # may be there already; nothing in them is overwritten


def init(folder: Path, vendors: str | None, *, as_json: bool = False) -> None:
    """Create a project in `folder` and print what to do next.

    vendors: names separated by commas, `all` or `none`; None: ask on the terminal.

    Raises UserError if the folder is not empty, or a vendor is not known.
    """
    root = folder.absolute()
    if root.is_file() or (root.is_dir() and any(path.name not in _HARMLESS for path in root.iterdir())):
        raise UserError(
            f"{root} is not an empty folder, and nothing in it is overwritten; name a new one: orgdata init FOLDER"
        )
    chosen = _chosen(vendors if vendors is not None else _asked())
    first = datetime.now(UTC).date() - timedelta(days=_DAYS - 1)
    files = [str(folder / path) for path in scaffold.create(root, chosen, first)]
    if as_json:
        print_json({"folder": str(root), "vendors": chosen, "files": files})
        return
    for file in files:
        click.echo(f"  {file}")
    steps = [] if root == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    defs = settings.defs_folder(root).relative_to(root)
    steps += [] if chosen else [f"write {defs}/VENDOR/defs.yaml with `type: orgdata_dagster.RestApi`"]
    steps += ["cp .env.example .env     # and fill in the credentials"] if chosen else []
    steps += ["orgdata doctor           # lists what is missing", "orgdata pull", "orgdata dev"]
    click.echo(f"\ncreated the project {root.name} with {', '.join(chosen) or 'no vendor'}. Next:")
    click.echo("".join(f"  {step}\n" for step in steps).rstrip("\n"))


def _asked() -> str:
    """Ask for the vendors. Raises UserError if there is no terminal to ask on."""
    known = scaffold.vendors()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError(f"which vendors? Add --vendors with some of {', '.join(known)}; or all, or none")
    click.echo(f"vendors: {', '.join(known)}")
    return str(click.prompt("Which of them, separated by commas", default="all"))


def _chosen(text: str) -> list[str]:
    known = scaffold.vendors()
    names = [name for name in (part.strip().lower() for part in text.split(",")) if name]
    if names in (["all"], ["none"]):
        return known if names == ["all"] else []
    if not names:
        raise UserError(f"--vendors names none; known: {', '.join(known)}; or all, or none")
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? Known" if close else "known"
            raise UserError(
                f"unknown vendor {name!r}; {hint}: {', '.join(known)}. Any other REST API: `type: "
                "orgdata_dagster.RestApi`, see docs/add_a_vendor.md"
            )
    return sorted(set(names))
