"""Commands that examine the project: `validate`, `preview`, `schema`, `doctor`.

Here: their arguments and options. Add here when: a new command looks for problems, or sends requests without storing.
Keep out: what they do (doctor/, preview.py, schema.py).
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext

import click

from orgdata_dagster import settings
from orgdata_dagster.cli import shell_completion
from orgdata_dagster.cli.console import console
from orgdata_dagster.cli.demo_vendors import answering, needs_vendors
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.counting import counted
from orgdata_dagster.file_modes import usual_modes

_PROBLEM = re.compile(r"(?P<file>[^\s:][^:]*):(?P<line>\d+) (?P<problem>.*)")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command()
@as_json_option
def validate(as_json: bool) -> None:
    """List every problem in the YAML files: file, line, field, problem, allowed values. No request is sent."""
    from orgdata_dagster.cli import loaded_project

    try:
        loaded = loaded_project.load()
        loaded.check_loadable()
    except UserError as error:
        if not as_json:
            raise
        print_json(
            {
                "problems": [_problem(line) for line in str(error).splitlines()],
                "assets": 0,
                "vendors": 0,
                "not_configured": [],
            }
        )
        sys.exit(2)
    vendors = len(loaded.vendors)
    if as_json:
        off = [{"vendor": vendor, "reason": reason} for vendor, reason in loaded.unconfigured.items()]
        print_json({"problems": [], "assets": len(loaded.keys), "vendors": vendors, "not_configured": off})
        return
    loaded.print_unconfigured(console())
    own = [key for key in loaded.keys if key.path[0] not in loaded.vendors]
    beside = f", and {counted(len(own), 'other asset')}" if own else ""
    contents = f"{counted(len(loaded.keys) - len(own), 'asset')} of {counted(vendors, 'vendor')}"
    click.echo(f"no problems: {contents}{beside}")
    if not vendors:
        click.echo(f"A vendor is a file VENDOR/defs.yaml in {settings.defs_folder(settings.project_root())}")


def _problem(line: str) -> dict[str, str | int | None]:
    found = _PROBLEM.fullmatch(line)
    if found is None:
        return {"file": None, "line": None, "problem": line}
    return {"file": found["file"], "line": int(found["line"]), "problem": found["problem"]}


@click.command()
@click.argument("table", metavar="VENDOR/TABLE", shell_complete=shell_completion.tables)
@click.option("--day", metavar="DATE", help="The day to request, if the table has days (default: yesterday).")
@as_json_option
@needs_vendors
def preview(table: str, day: str | None, as_json: bool) -> None:
    """Send at most two requests for TABLE; show them, the answer, its columns and what a pull cannot prove.

    Nothing is stored. The requests count towards the rate limit, so a preview may wait for it.
    """
    # from the module itself: this package's attribute `preview` is the command
    from orgdata_dagster.cli.preview import find, show
    from orgdata_dagster.cli.preview import preview as run

    made = run(*find(table), day, say=lambda text: console(stderr=True).print(text, highlight=False, markup=False))
    if as_json:
        print_json(made)
    else:
        show(console(), made)
    sys.exit(1 if made.error else 0)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False), default="-")
def schema(file: str) -> None:
    """Write a JSON schema of the defs.yaml files to FILE (default: print it), for completion in editors."""
    from orgdata_dagster.cli.schema import schema as make

    with usual_modes(), click.open_file(file, "w") as target:
        target.write(json.dumps(make(), indent=2) + "\n")


@click.command()
@click.option(
    "--clear",
    "vendor",
    metavar="VENDOR",
    shell_complete=shell_completion.vendors,
    help="Allow requests to VENDOR again, after rejected credentials or before a pause ends.",
)
@click.option("--fix", is_flag=True, help="Apply the safe fixes: pools, slots, orphaned runs, file modes, the ledger.")
@click.option("--offline", is_flag=True, help="Send no request to any vendor.")
@as_json_option
def doctor(vendor: str | None, fix: bool, offline: bool, as_json: bool) -> None:
    """List every problem, and the command that fixes it. One cheap request is sent per vendor."""
    from orgdata_dagster.cli import loaded_project

    # from the module itself: this package's attribute `doctor` is the command
    from orgdata_dagster.cli.doctor import apply_fixes, clear, examine, opened, show

    if vendor:
        done = [clear(loaded_project.load(), vendor)]
        if as_json:
            print_json({"healthy": True, "fixed": done, "findings": []})
        else:
            click.echo(done[0])
        return
    out = console()
    with nullcontext() if offline else answering(), opened() as one:
        fixed = list(apply_fixes(examine(one, ask=False))) if fix else []
        if as_json:
            found = list(examine(one, ask=not offline))
            healthy = all(each.good for each in found)
            print_json({"healthy": healthy, "fixed": fixed, "findings": [each.as_json() for each in found]})
        else:
            for each in fixed:
                out.print(each, highlight=False, markup=False, soft_wrap=True)
            healthy = show(out, examine(one, ask=not offline))
    sys.exit(0 if healthy else 1)


COMMANDS = (validate, preview, schema, doctor)
