"""The simulated vendors of the demo's project: they run while the demo, or a command in its project, needs them.

Here: their process, the variables that point to them, and starting them again for other commands.
Keep out: the demo's steps (demo.py), the vendors themselves (sandbox/).
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from orgdata_dagster import settings
from orgdata_dagster.cli.errors import UserError

FOLDER = ".orgdata-demo"
# seconds between requests to together, instead of 60, so that the demo's waits are short
PACE = "3"
_ONE_OF_THEM = "OCTOLIS_BASE_URL"
_ENV = """# Written by `orgdata demo`: the simulated vendors, which run while a command here needs them.
"""


P = ParamSpec("P")
R = TypeVar("R")


def needs_vendors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command that sends requests: in the demo's project, its vendors run meanwhile."""

    @functools.wraps(command)
    def with_vendors(*args: P.args, **kwargs: P.kwargs) -> R:
        with answering():
            return command(*args, **kwargs)

    return with_vendors


@contextmanager
def answering() -> Iterator[None]:
    """Run the simulated vendors until the context ends, if the project is the demo's and they are not running."""
    if (folder := _folder()) is None or _answer():
        yield
        return
    with simulated_vendors(folder):
        yield


@contextmanager
def vendors_of_demo(say: Callable[[str], None]) -> Iterator[None]:
    """Run the simulated vendors until the context ends, if the project is the demo's.

    say: is called with their URL.
    """
    if (folder := _folder()) is None:
        yield
        return
    with simulated_vendors(folder) as url:
        say(f"simulated vendor APIs at {url}")
        yield


@contextmanager
def simulated_vendors(folder: Path) -> Iterator[str]:
    """Run the sandbox; configure it for this process and, in `.env`, for other commands in the demo's project.

    The file stays, so that later commands know the demo's pace.
    """
    from orgdata_dagster.sandbox.environment import environment  # takes a while

    with _sandbox() as url:
        variables = environment(url) | {settings.TEST_SERVER_PACE: PACE}
        os.environ |= variables
        file = folder / ".env"
        if not file.exists() or file.read_text(errors="replace").startswith(_ENV):  # a file of the user stays
            file.write_text(_ENV + "".join(f"{name}={value}\n" for name, value in variables.items()))
        yield url


def _folder() -> Path | None:
    """The demo's project, if it is the one of this process."""
    try:
        folder = settings.project_root()
    except settings.SettingsError:  # the command reports it
        return None
    return folder if folder.name == FOLDER else None


def _answer() -> bool:
    """Whether the simulated vendors are running, for example by `orgdata demo` or `orgdata dev` in another terminal."""
    address = urlsplit(os.environ.get(_ONE_OF_THEM, ""))
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def _sandbox() -> Iterator[str]:
    """Run the simulated vendors in their own process on a free port until the context ends; yields their base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orgdata_dagster.cli", "sandbox", "--port", "0", "--with-parent", "--pace", PACE],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches only the command, which ends the sandbox when it ends
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip().rpartition(" ")[2]
        if not url.startswith("http"):
            raise UserError("the sandbox did not start; run `orgdata sandbox` to see why")
        yield url
    finally:
        assert process.stdin is not None
        process.stdin.close()  # the sandbox ends when its input is closed
        process.wait(10)
