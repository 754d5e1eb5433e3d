"""Shell completion: the script for a shell, and the names of vendors, tables and syncs.

Here: the names that click cannot know. Keep out: commands and options, which click completes itself.

The names come from the cached outline. When there is none, the project is loaded once, which takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from orgdata_dagster import settings
from orgdata_dagster.cli import current_outline
from orgdata_dagster.cli.dotenv import load_environment
from orgdata_dagster.overview.outline import Outline

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_ORGDATA_COMPLETE"


def script(command: click.Command, shell: str) -> str:
    """The script that the user's shell has to source."""
    made = get_completion_class(shell)
    assert made is not None
    return made(command, {}, "orgdata", _VARIABLE).source()


def selections(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Vendors, and tables as `vendor/table`."""
    return _items(begun, lambda outline: [*_vendors(outline), *_tables(outline)])


def tables(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tables as `vendor/table`."""
    return _items(begun, _tables)


def vendors(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Vendors."""
    return _items(begun, _vendors)


def syncs(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names for `orgdata sync`."""
    return _items(begun, lambda outline: outline.syncs.values())


def _vendors(outline: Outline) -> Iterable[str]:
    return [each.name for each in outline.vendors]


def _tables(outline: Outline) -> Iterable[str]:
    return [name.replace(".", "/", 1) for name in outline.tables]


def _items(begun: str, names: Callable[[Outline], Iterable[str]]) -> list[CompletionItem]:
    try:
        load_environment(settings.project_root() / ".env")
        found = names(current_outline.outline())
    except Exception:  # noqa: BLE001 - the shell would offer a message as a name; the command itself reports it
        return []
    return [CompletionItem(name) for name in sorted(set(found)) if name.startswith(begun)]
