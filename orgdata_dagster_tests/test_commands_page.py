"""docs/commands.md has every command and option, and what the commands print still looks like the recordings.

The help comes from the code when the site is built; the outputs are recorded by `make docs-output`. Their figures may
be of another day, but a heading or a column that was renamed makes a test fail here.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from orgdata_dagster.cli import orgdata
from orgdata_dagster_tests.documents import not_printed, sessions
from orgdata_dagster_tests.source_texts import source_texts

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "commands.md").read_text()
SECTIONS = dict(re.findall(r"^### `orgdata ([a-z ]+)`$\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
OUTPUTS = {path.stem: path.read_text() for path in sorted((DOCS / "output").glob("*.txt"))}
NOT_RECORDED = {"completion", "demo", "schema"}  # a shell script, what `pull` and `status` print, a long JSON schema
# What is shown of each command, whatever the figures. Each is a text of the source.
SHAPE = {
    "alerts-test": ["sent"],
    "backup": ["table", "row", "file"],
    "dbt-init": ["wrote"],
    "dev": ["Dagster UI: http://", "Overview: http://"],
    "doctor": ["versions", "folder", "private", "memory", "state", "warehouse", "alerts", "pools", "runs", "slots",
               "reports", "daemon", "event log", "coverage", "checks", "answers, and accepts the credentials"],
    "explain": ["default", "name", "null"],
    "export": ["written,", "unchanged"],
    "init": ["created the project", "orgdata doctor           # lists what is missing"],
    "metrics": ["orgdata_coverage_lag_seconds", "# TYPE", "# HELP"],
    "plan": ["table", "partitions", "requests", "points", "basis", "at least", "of a day's rate limit", "if started"],
    "prepare": ["Dagster instance ready:", "steps at once"],
    "preview": ["table", "request", "answer", "records", "column", "stored"],
    "pull": ["partitions", "rows/s", "request", "done"],
    "query": ["rows"],
    "restore": ["moved aside:", "restored as of", "each with as many rows as then"],
    "sandbox": ["simulated vendor APIs at", "export"],
    "show": ["complete until", "last rows", "key", "█ complete", "▒ incomplete"],
    "status": ["table", "rows", "days", "gaps", "complete until", "age", "warehouse", "rate limit of", "never"],
    "sync": ["Dry run: nothing was sent.", "source_rows", "to_send", "requests_needed", "The first"],
    "validate": ["not configured", "(its tables are skipped)", "no problems:"],
}  # fmt: skip
OTHER_PAGES = ["running", "bi_tools", "reliability", "troubleshooting"]
PROGRAMS = {"orgdata", "make", "pip", "python", "systemctl", "journalctl", "sudo", "cp", "mv", "du"}


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


COMMANDS = dict(commands(orgdata))


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_has_a_section_and_no_other_has() -> None:
    assert SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_shows_help_and_output(hooks: ModuleType, name: str) -> None:
    section, file = SECTIONS[name], name.replace(" ", "-")
    shown = hooks.filled(section)
    assert shown.startswith(f"\n```console\n$ orgdata {name} --help\nUsage: orgdata {name} ")
    assert (OUTPUTS.get(file, "no recording").rstrip() in shown) == (name not in NOT_RECORDED)
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.opts[0] in shown


def test_every_recording_has_its_shape_and_is_shown() -> None:
    assert OUTPUTS.keys() == SHAPE.keys() == {name.replace(" ", "-") for name in COMMANDS.keys() - NOT_RECORDED}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_recording_looks_like_what_the_command_prints(name: str) -> None:
    texts = "\n".join(text for found in source_texts().values() for text in found)  # with single spaces
    printed = " ".join(OUTPUTS[name].split())
    for text in SHAPE[name]:
        one_line = " ".join(text.split())
        assert one_line in printed, f"record it again: make docs-output ONLY={name}"
        assert one_line in texts, f"{text!r} is no longer in the source: change SHAPE and record"


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_command_of_a_recording_parses(name: str) -> None:
    parses(OUTPUTS[name].splitlines()[0])


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_commands_in_the_console_blocks_of_a_page_parse_and_print_what_it_shows(page: str) -> None:
    for line, shown in sessions(f"docs/{page}.md"):
        parses(line)
        if shown:
            command = max((name for name in COMMANDS if line.startswith(f"orgdata {name}")), key=len)
            assert not_printed(shown, OUTPUTS[command.replace(" ", "-")]) == []


def parses(line: str) -> None:
    program, *words = shlex.split(line.removeprefix("$ "), comments=True)
    assert program in PROGRAMS, line
    if program == "orgdata":
        context = click.Context(orgdata, info_name="orgdata")
        name, command, rest = orgdata.resolve_command(context, words)
        assert command is not None
        command.make_context(name, rest)  # raises on an unknown option or argument


def test_a_wrong_command_would_be_detected() -> None:
    with pytest.raises(click.UsageError):
        parses("$ orgdata status --wrong")
    with pytest.raises(click.UsageError):
        parses("$ orgdata statuses")
