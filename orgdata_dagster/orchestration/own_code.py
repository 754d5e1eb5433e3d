"""Finding the user's own code in a traceback, so that a message names the file and the line to correct.

Here: `place` and `place_in`. Keep out: the rest of the message (reasons.py).

The user's own code is what belongs neither to orgdata nor to an installed library nor to Python, and was called by
orgdata or by Dagster: Components and resources of a project, its assets, its checks. The project's package may be
installed like a library.
"""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb

from orgdata_dagster import settings

_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_PYTHON = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]([^/\\]+)")
_FRAME = re.compile(r'\s*File "([^"]+)", line (\d+)')


def place(error: BaseException) -> str | None:
    """The innermost line of the user's own code in the traceback of an error, as `file:line`; None if there is none."""
    return _innermost((frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__))


def place_in(stack: Sequence[str]) -> str | None:
    """The same for the stack of an error that Dagster has recorded."""
    return _innermost((found[1], int(found[2])) for frame in stack if (found := _FRAME.match(frame)))


def _innermost(frames: Iterable[tuple[str, int]]) -> str | None:
    is_called, found, package = False, None, _package()
    for file, line in frames:
        installed = _INSTALLED.search(file)
        if file.startswith(_OURS) or (installed and installed[1] != package):
            is_called = True
        elif is_called and (installed or not file.startswith(("<", *_PYTHON))):
            found = f"{settings.short(Path(file))}:{line}"
    return found


def _package() -> str:
    """The name of the project's package; empty outside a project."""
    with suppress(settings.SettingsError):
        return settings.package_folder(settings.project_root()).name
    return ""
