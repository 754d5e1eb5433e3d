"""The command `orgdata`.

Here: the commands and their options. Add here when: there is a new command.
Keep out: what a command does, which is in a module of its own, and how errors reach the user (errors.py).

Exit status: 0 done; 1 something failed (each reason is one line); 2 wrong usage or configuration; 143 or 130 stopped by
SIGTERM or Ctrl-C (signals.py).
"""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from orgdata_dagster.cli import alert_commands, check_commands, read_commands, shell_completion, signals
from orgdata_dagster.cli.check_commands import as_json_option
from orgdata_dagster.cli.console import console as _console
from orgdata_dagster.cli.demo_vendors import needs_vendors
from orgdata_dagster.cli.errors import Commands
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.cli.ports import check_free
from orgdata_dagster.counting import counted
from orgdata_dagster.file_modes import keep_private
from orgdata_dagster.http import redaction


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orgdata", message="%(version)s")
def orgdata() -> None:
    """Copy the data of SaaS vendors into complete, typed DuckDB tables, on Dagster."""


for _command in (*read_commands.COMMANDS, *check_commands.COMMANDS, alert_commands.alerts):
    orgdata.add_command(_command)


@orgdata.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--vendors", metavar="A,B", help="Vendor names, `all` or `none` (default: ask).")
@as_json_option
def init(folder: Path, vendors: str | None, as_json: bool) -> None:
    """Create your own project in FOLDER (default: here), which must be empty or new."""
    from orgdata_dagster.cli.init import init as run

    run(folder, vendors, as_json=as_json)


@orgdata.command()
@click.option("--ui/--no-ui", default=True, help="Serve the Dagster UI afterwards.")
@click.option("--port", default=3000, show_default=True, help="Port of the UI on 127.0.0.1.")
@click.option("--resume", is_flag=True, help="Skip what the last demo landed before it was stopped.")
@as_json_option
def demo(ui: bool, port: int, resume: bool, as_json: bool) -> None:
    """Pull 7 days of every table from simulated vendors into .orgdata-demo, then serve the UI."""
    from orgdata_dagster.cli.demo import demo as run

    sys.exit(run(_console(stderr=as_json), ui=ui, port=port, resume=resume, as_json=as_json))


@orgdata.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8099, show_default=True, help="0 for any free port.")
@click.option(
    "--pace",
    type=float,
    help="Seconds between two requests to together, instead of 60. Undocumented limits rise by the same factor.",
)
@click.option(
    "--with-parent",
    is_flag=True,
    hidden=True,
    help="End when standard input is closed, that is, when the parent process ends.",
)
@as_json_option
def sandbox(host: str, port: int, pace: float | None, with_parent: bool, as_json: bool) -> None:
    """Serve the simulated vendor APIs."""
    if with_parent:
        threading.Thread(target=_end_with_input, daemon=True).start()
    check_free(host, port)
    from orgdata_dagster import settings
    from orgdata_dagster.sandbox.environment import TRACKER, environment
    from orgdata_dagster.sandbox.server import default_vendors, serve

    def announce(url: str) -> None:
        variables = environment(url) | ({settings.TEST_SERVER_PACE: f"{pace:g}"} if pace else {})
        if as_json:
            print_json({"url": url, "environment": variables})
            return
        click.echo(f"simulated vendor APIs at {url}")
        for name, value in variables.items():
            if name == TRACKER:
                click.echo("# tracker: the example vendor of docs/add_a_vendor.md, which is described in YAML alone")
            if name == settings.TEST_SERVER_PACE:
                click.echo("# makes orgdata send requests to together at this pace")
            click.echo(f"export {name}={value}")

    gc.enable()  # this command runs for a long time
    serve(host, port, default_vendors(pace=pace), announce=announce)


@orgdata.command()
@click.argument("selection", default="*", shell_complete=shell_completion.selections)
@click.option("--from", "first", metavar="DATE", help="First day, YYYY-MM-DD (default: the last day).")
@click.option("--to", "last", metavar="DATE", help="Last day, inclusive (default: today, UTC).")
@click.option("--resume", is_flag=True, help="Skip what the last pull landed, if it failed, was stopped or was killed.")
@click.option(
    "--accept-shrink", is_flag=True, help="Store an empty or much smaller answer, or a snapshot without a key column."
)
@click.option("--full", is_flag=True, help="Read every row, not only changes.")
@as_json_option
@needs_vendors
def pull(
    selection: str,
    first: str | None,
    last: str | None,
    resume: bool,
    accept_shrink: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Pull days of SELECTION: a vendor, vendor/table, or Dagster's selection syntax (default: every table)."""
    from orgdata_dagster.cli import loaded_project

    # from the module itself: this package's attribute `pull` is the command
    from orgdata_dagster.cli.pull import as_json as outcomes_as_json
    from orgdata_dagster.cli.pull import days_of
    from orgdata_dagster.cli.pull import pull as run
    from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG, FULL_WALK_TAG
    from orgdata_dagster.overview.outline import keep

    loaded = loaded_project.load()
    keep(loaded.outline())
    since, until = days_of(first, last)
    keys = loaded.with_days(loaded.configured() if selection == "*" else loaded.select(selection), since, until)
    keys, lost = loaded.without_past(keys, since, until)
    console = _console(stderr=as_json)
    if selection == "*":
        loaded.print_unconfigured(console)
    for line in lost:
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    chosen = {("--accept-shrink", ACCEPT_SHRINK_TAG): accept_shrink, ("--full", FULL_WALK_TAG): full}
    tags = {tag: "true" for (_, tag), is_set in chosen.items() if is_set}
    options = [option for (option, _), is_set in chosen.items() if is_set]
    again = ["orgdata", "pull", selection, "--from", str(since), "--to", str(until), *options]
    go_on = shlex.join([*again, "--resume"])
    outcomes = run(loaded, keys, since, until, console, tags=tags, resume=resume, go_on=go_on)
    if as_json:
        print_json(outcomes_as_json(outcomes))
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        click.echo(redaction.redact(f"failed: {outcome.task.asset}: {outcome.error}"), err=True)
    sys.exit(1 if failed else 0)


@orgdata.command()
@click.argument("selection", default="*", shell_complete=shell_completion.selections)
@click.option("--from", "first", metavar="DATE", help="First day, YYYY-MM-DD (default: the last day).")
@click.option("--to", "last", metavar="DATE", help="Last day, inclusive (default: today, UTC).")
@as_json_option
def plan(selection: str, first: str | None, last: str | None, as_json: bool) -> None:
    """Show what `pull` with the same arguments would cost: requests, points, time. It sends no request."""
    from orgdata_dagster.cli import loaded_project

    # from the module itself: this package's attribute `plan` is the command
    from orgdata_dagster.cli.plan import as_json as plan_as_json
    from orgdata_dagster.cli.plan import plan as make
    from orgdata_dagster.cli.plan import show
    from orgdata_dagster.cli.pull import days_of

    loaded = loaded_project.load()
    since, until = days_of(first, last)
    keys = loaded.with_days(loaded.configured() if selection == "*" else loaded.select(selection), since, until)
    if selection == "*":
        loaded.print_unconfigured(_console(stderr=as_json))
    made = make(loaded, keys, since, until)
    if as_json:
        print_json(plan_as_json(made))
    else:
        show(_console(), made)


@orgdata.command()
@click.argument("name", shell_complete=shell_completion.syncs)
@click.option("--dry-run", is_flag=True, help="Only show what would be sent, whatever the YAML says.")
@click.option("--rejected", is_flag=True, help="Send only rows that are currently rejected.")
@click.option(
    "--all", "everything", is_flag=True, help="Send every row, even if it has not changed since it was accepted."
)
@as_json_option
@needs_vendors
def sync(name: str, dry_run: bool, rejected: bool, everything: bool, as_json: bool) -> None:
    """Send the rows that have changed in the source of the sync or webhook NAME to its vendor."""
    from orgdata_dagster.cli import loaded_project
    from orgdata_dagster.cli.sync import Options
    from orgdata_dagster.cli.sync import sync as run

    outcome = run(
        loaded_project.load(), name, _console(stderr=as_json), Options(dry_run, rejected, everything), as_json=as_json
    )
    if outcome.error:
        click.echo(redaction.redact(f"failed: {outcome.task.asset}: {outcome.error}"), err=True)
    sys.exit(1 if outcome.error else 0)


@orgdata.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI on 127.0.0.1.")
@as_json_option
def dev(port: int, as_json: bool) -> None:
    """Serve the Dagster UI and run the schedules."""
    from orgdata_dagster.cli.demo_vendors import vendors_of_demo
    from orgdata_dagster.cli.dev import serve_ui

    console = _console(stderr=as_json)
    with vendors_of_demo(lambda line: console.print(line, highlight=False)):
        sys.exit(serve_ui(console, port=port, as_json=as_json))


@orgdata.command()
@as_json_option
def prepare(as_json: bool) -> None:
    """Create Dagster's tables and set the limits of the pools, after a deployment without `orgdata dev`."""
    from orgdata_dagster.cli.prepare import prepare as run

    run(_console(), as_json=as_json)


@orgdata.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@as_json_option
def backup(folder: Path, as_json: bool) -> None:
    """Copy the warehouse, the shared state and Dagster's storage, as of one moment, to a new FOLDER. Runs may go on."""
    from orgdata_dagster.cli.backup.making import make

    made = make(folder)
    if as_json:
        found = {"folder": str(folder), "made_at": made.made_at, "rows": made.rows, "files": len(made.files)}
        print_json(found)
    else:
        rows = f"{counted(len(made.rows), 'table')}, {counted(sum(made.rows.values()), 'row')}"
        click.echo(f"{folder}: {rows}, {counted(len(made.files), 'file')}")


@orgdata.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Move existing files aside, and replace the tables of databases.")
@as_json_option
def restore(folder: Path, replace: bool, as_json: bool) -> None:
    """Restore the backup in FOLDER. Stop `orgdata dev` and other daemons of the project first."""
    from orgdata_dagster.cli.backup.restoring import restore as run

    description, moved = run(folder, replace=replace)
    if as_json:
        found = {"made_at": description.made_at, "rows": description.rows, "moved_aside": list(map(str, moved))}
        print_json(found)
        return
    for path in moved:
        click.echo(f"moved aside: {path}")
    tables = counted(len(description.rows), "table")
    click.echo(f"restored as of {description.made_at}: {tables}, each with as many rows as then")


def _end_with_input() -> None:
    # reads from the file descriptor, because the interpreter cannot end while a thread reads from sys.stdin
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    """Run the command line."""
    keep_private()
    signals.install()
    gc.disable()  # nearly all objects of a command stay alive; collection would take a third of the start-up time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would not survive the workers' fork
    try:
        orgdata(prog_name="orgdata", complete_var="_ORGDATA_COMPLETE")
    except signals.Interrupted as stop:
        click.echo(redaction.redact(f"orgdata: {stop}"), err=True)
        _exit(stop.status)
    except SystemExit as end:
        _exit(end.code)


def _exit(status: int | str | None) -> NoReturn:
    """End the process without freeing all objects, which takes longer than the work of `orgdata status`."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader is gone
            stream.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)
