"""The simulated vendors of the demo's project: they run while the demo, or a command in its project, needs them.

Here: their process, the variables that lead to them, and which commands start them again. Keep out: the demo's steps
(demo.py), the vendors themselves (sandbox/).
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
# seconds between requests to together instead of 60: the demo shows the waits, but shorter
PACE = "3"
_ANY_OF_THEM = "OCTOLIS_BASE_URL"
_ENV = """# Written by `orgdata demo`: simulated vendors, which answer while a command that asks vendors runs here.
"""


P = ParamSpec("P")
R = TypeVar("R")


def asks_vendors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command that sends requests: in the demo's project, its vendors run meanwhile."""

    @functools.wraps(command)
    def with_vendors(*args: P.args, **kwargs: P.kwargs) -> R:
        with answering():
            return command(*args, **kwargs)

    return with_vendors


@contextmanager
def answering() -> Iterator[None]:
    """Run the simulated vendors until the context ends, if the project is the demo's and they do not run already."""
    if (folder := _folder()) is None or _answer():
        yield
        return
    with simulated_vendors(folder):
        yield


@contextmanager
def vendors_of_demo(say: Callable[[str], None]) -> Iterator[None]:
    """Run the simulated vendors until the context ends, if the project is the demo's. `say`: receives their URL."""
    if (folder := _folder()) is None:
        yield
        return
    with simulated_vendors(folder) as url:
        say(f"simulated vendor APIs at {url}")
        yield


@contextmanager
def simulated_vendors(folder: Path) -> Iterator[str]:
    """Run the sandbox, and configure it for this process and, in `.env`, for other commands in the demo's project.

    The file stays, so that later commands know the pace at which the demo has pulled.
    """
    from orgdata_dagster.sandbox.environment import environment  # takes a while

    with _sandbox() as url:
        variables = environment(url) | {settings.TEST_SERVER_PACE: PACE}
        os.environ |= variables
        file = folder / ".env"
        if not file.exists() or file.read_text(errors="replace").startswith(_ENV):  # not a file of the user's
            file.write_text(_ENV + "".join(f"{name}={value}\n" for name, value in variables.items()))
        yield url


def _folder() -> Path | None:
    """The demo's project, if it is the one of this process."""
    try:
        folder = settings.project_root()
    except settings.SettingsError:  # the command says so
        return None
    return folder if folder.name == FOLDER else None


def _answer() -> bool:
    """Whether the simulated vendors run already, as those of `orgdata demo` or `orgdata dev` in another terminal."""
    address = urlsplit(os.environ.get(_ANY_OF_THEM, ""))
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
        start_new_session=True,  # Ctrl-C reaches the command only, which ends the sandbox at its own end
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
