"""How errors reach the user of the command line: in lines of their own, never as a traceback.

Here: `UserError`, and `Commands`, the group of commands that turns every error into lines and an exit status.
Keep out: what an error means (orchestration/reasons.py); failures of runs, which a command reports itself (status 1).
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from typing import Any

import click

from orgdata_dagster import settings
from orgdata_dagster.cli.dotenv import load_environment
from orgdata_dagster.http.redaction import redact


class UserError(Exception):
    """What is wrong, where, and what to do; each line stands for itself."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(redact(line) for line in lines))


class Commands(click.Group):
    """The commands; `.env` is read before any of them. Exit status 2: it could not begin, or not go on."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            load_environment(settings.project_root() / ".env")
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets lines and no traceback
            for line in lines_of(error):
                click.echo(f"orgdata: {line}", err=True)
            ctx.exit(2)


def lines_of(error: Exception) -> list[str]:
    """What to tell of an error; of one that nobody expected also where its traceback is."""
    if isinstance(error, UserError):
        return str(error).splitlines()
    from orgdata_dagster.orchestration.reasons import is_known, reason  # it imports the database

    told = reason(error)
    if is_known(error):
        return [told]
    kept = _kept(error)
    return [f"an unexpected error, {told}. " + (f"Its traceback is in {kept}; please report it." if kept else "")]


def _kept(error: Exception) -> str | None:
    """The file that the error's traceback was put into, for whoever mends it."""
    with suppress(OSError, settings.SettingsError):
        path = settings.home() / "error.log"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(redact("".join(traceback.format_exception(error))))
        return str(path)
    return None
