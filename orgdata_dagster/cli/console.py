"""The console that commands print to.

Here: `console`. Keep out: what a command prints (its module).
"""

from __future__ import annotations

from rich.console import Console

_WIDE = 160


def console(*, stderr: bool = False) -> Console:
    """A console for the terminal; in files and pipes it is 160 columns wide, where rich would use 80."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=_WIDE)
