"""Commands that only read the warehouse or the project: `status`, `query`, `show`, `explain`, `export`, `dbt init`,
`metrics`, `completion`.

Here: their arguments and options. Add here when: a new command only reads.
Keep out: what they do (status_report.py, query/, show.py, explain.py, export.py, dbt.py, metrics.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from orgdata_dagster.cli import shell_completion
from orgdata_dagster.cli.check_commands import as_json_option
from orgdata_dagster.cli.console import console
from orgdata_dagster.cli.errors import lines_of
from orgdata_dagster.cli.json_output import print_json
from orgdata_dagster.counting import counted

_FORMATS = "--csv, --json and --parquet"


@click.command()
@as_json_option
@click.option("--html", "file", type=click.Path(dir_okay=False), help="Write an HTML page to FILE.")
def status(as_json: bool, file: str | None) -> None:
    """Show each table with its rows and gaps, the use of the rate limits, and which vendors, tables and checks fail."""
    if file:
        from orgdata_dagster.cli.status_page import write

        write(file)
        return
    from orgdata_dagster.cli import current_outline, status_report
    from orgdata_dagster.orchestration import opening
    from orgdata_dagster.overview import rate_limit_use
    from orgdata_dagster.overview.checks import failing as failing_checks
    from orgdata_dagster.overview.failing_assets import failing_assets
    from orgdata_dagster.overview.pauses import VendorPause
    from orgdata_dagster.overview.table_statuses import table_statuses
    from orgdata_dagster.state import StateUnavailable

    outline = current_outline.outline()
    statuses, trouble = table_statuses(outline), None
    failed, failing, unknown = None, None, ""
    try:
        failed, failing = failing_assets(outline), failing_checks(outline)
    except Exception as error:  # noqa: BLE001 - Dagster's database is damaged or in use: show the tables anyway
        unknown = lines_of(error)[0]
    rate_limits, paused = list[dict[str, Any]](), list[VendorPause]()
    try:
        rate_limits, paused = rate_limit_use.rate_limits(outline), rate_limit_use.paused(outline)
    except StateUnavailable as error:  # show the tables anyway
        trouble = error
    if as_json:
        everything: dict[str, Any] = {
            "tables": statuses,
            "not_configured": [{"vendor": each.name, "reason": each.off} for each in outline.vendors if each.off],
            "rate_limits": rate_limits,
            "paused": paused,
            "failed_runs": failed,
            "failing_checks": failing,
        }
        print_json(everything)
    else:
        out = console()
        out.print(f"warehouse {opening.warehouse().uri} (times are UTC)", highlight=False, soft_wrap=True)
        status_report.show_tables(out, statuses)
        status_report.show_unconfigured(out, outline.vendors)
        status_report.show_rate_limits(out, rate_limit_use.used_today(rate_limits))
        status_report.show_pauses(out, paused)
        status_report.show_failed(out, failed or ())
        status_report.show_failing(out, failing or ())
    if unknown and trouble is None:
        click.echo(f"orgdata: which runs and checks failed is unknown: {unknown}", err=True)
    if trouble is not None:
        raise trouble


@click.command()
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help='Print CSV. NULL is an empty field, an empty text is "".')
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
@click.option(
    "--parquet", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a Parquet file."
)
def query(sql: str, as_csv: bool, as_json: bool, parquet: Path | None) -> None:
    """Print the result of one SELECT on the warehouse. If SQL is `-`, it is read from standard input."""
    if as_csv + as_json + (parquet is not None) > 1:
        raise click.UsageError(f"{_FORMATS} contradict each other: use one of them")
    from orgdata_dagster.cli.query import formats, result_of, table

    with result_of(sys.stdin.read() if sql == "-" else sql) as result:
        if as_csv:
            formats.write_csv(result, sys.stdout.buffer)
        elif as_json:
            for text in formats.json_text(result):
                sys.stdout.write(text)
        elif parquet is not None:
            formats.write_parquet(result, parquet)
            click.echo(f"{parquet}: {counted(result.rows, 'row')}")
        else:
            table.show(console(), result)


@click.command()
@click.argument("table", metavar="TABLE", shell_complete=shell_completion.tables)
@as_json_option
def show(table: str, as_json: bool) -> None:
    """Show a TABLE of the warehouse, such as octolis.contacts: columns, coverage as a calendar, last rows."""
    from orgdata_dagster.cli import show as view

    shown = view.collect(table, view.target_of(table))
    if as_json:
        print_json(shown.as_json())
    else:
        view.show(console(), shown)


@click.command()
@click.argument("asset", metavar="VENDOR/TABLE", shell_complete=shell_completion.tables)
@as_json_option
def explain(asset: str, as_json: bool) -> None:
    """List every YAML option that applies to a table or a sync: its value, where it is set, its meaning."""
    from orgdata_dagster.cli import explain as view

    explained = view.explain(asset)
    if as_json:
        print_json(explained.as_json())
    else:
        view.show(console(), explained)


@click.command()
@click.argument("shell", type=click.Choice(shell_completion.SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, vendors and tables in SHELL.

    \b
    bash: echo 'eval "$(orgdata completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(orgdata completion zsh)"' >> ~/.zshrc
    fish: orgdata completion fish > ~/.config/fish/completions/orgdata.fish
    """
    click.echo(shell_completion.script(context.find_root().command, shell))


@click.command()
@click.argument("folder")
@click.argument("tables", nargs=-1, metavar="[TABLE]...", shell_complete=shell_completion.tables)
@as_json_option
def export(folder: str, tables: tuple[str, ...], as_json: bool) -> None:
    """Write TABLEs (default: all) to FOLDER as Parquet, one file per partition. Unchanged files are not written again.

    FOLDER may be in an object store (s3://bucket/folder); the credentials are in AWS's own variables.
    """
    from orgdata_dagster.cli.export import export_tables

    done = []
    for each in export_tables(folder, tables):
        done.append({"table": str(each.table), "rows": each.rows, "written": each.written, "unchanged": each.unchanged})
        if not as_json:
            files = f"{counted(each.written, 'file')} written, {each.unchanged:,} unchanged"
            click.echo(f"{each.table}: {counted(each.rows, 'row')}, {files}")
    if as_json:
        print_json(done)


@click.group()
def dbt() -> None:
    """Use the tables in dbt."""


@dbt.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@as_json_option
def dbt_init(folder: Path | None, as_json: bool) -> None:
    """Write profiles.yml, dbt_project.yml and the sources for dbt-duckdb to FOLDER (default: dbt in the project)."""
    from orgdata_dagster.cli.dbt import init

    files = init(folder)
    if as_json:
        print_json({"files": [{"path": str(file.path), "written": file.written} for file in files]})
        return
    for file in files:
        click.echo(f"{'wrote' if file.written else 'kept '} {file.path}")


@click.command()
@as_json_option
def metrics(as_json: bool) -> None:
    """Print OpenMetrics text for Prometheus: lag, gaps, rows, requests, waits, use of the limits, commits, runs."""
    from orgdata_dagster.cli.metrics import collect, text

    found = collect()
    if as_json:
        print_json({"metrics": [each.as_json() for each in found]})
    else:
        sys.stdout.write(text(found))


COMMANDS = (status, query, show, explain, export, dbt, metrics, completion)
