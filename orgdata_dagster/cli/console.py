"""The console that commands print to. Here: `console`. Keep out: what is printed."""

from __future__ import annotations

from rich.console import Console

_WIDE = 160


def console(*, stderr: bool = False) -> Console:
    """A console that is 160 columns wide in files and pipes, where rich would fold tables to 80."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=_WIDE)
