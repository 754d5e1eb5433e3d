"""Errors of the command line: one line per error, never a traceback.

Here: `UserError`, and `Commands`, the command group that turns every error into lines and an exit status.
Keep out: the text of an error (orchestration/reasons.py), and failed runs, which each command reports (status 1).
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
    """A problem that the user can fix. Each line says what is wrong, where, and what to do."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(redact(line) for line in lines))


class Commands(click.Group):
    """The command group. It reads `.env` before any command, and exits with 2 if a command cannot start or continue."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with suppress(settings.NoProject):  # a command that needs a project reports that there is none
                load_environment(settings.project_root() / ".env")
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes lines, never a traceback
            for line in lines_of(error):
                click.echo(f"orgdata: {line}", err=True)
            ctx.exit(2)


def lines_of(error: Exception) -> list[str]:
    """The lines to print for an error; for an unexpected error, with the file that has its traceback."""
    if isinstance(error, UserError):
        return str(error).splitlines()
    from orgdata_dagster.orchestration.reasons import is_in_own_code, is_known, reason  # slow: it imports DuckDB

    message = reason(error)
    if is_known(error):
        return [message]
    kept = _kept(error)
    traceback_in = f". Its traceback is in {kept}" if kept else ""
    if is_in_own_code(error):
        return [f"{message}{traceback_in}"]
    return [f"an unexpected error, {message}{traceback_in}; please report it"]


def _kept(error: Exception) -> str | None:
    """Write the error's traceback to a file and return its path; None if that is not possible."""
    with suppress(OSError, settings.SettingsError):
        path = settings.home() / "error.log"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(redact("".join(traceback.format_exception(error))))
        return str(path)
    return None
