"""Showing the output of a run on the terminal while Dagster captures it in a file.

Here: `mirror_in_threads`. Keep out: the location of the files (Dagster's compute log manager); the content of the log.

Why: Dagster starts four processes per run for this: two `tail`, and two Python interpreters that watch them. This takes
nearly 0.1 s of CPU time per run, although hardly any run prints anything. Here, two threads copy new output from the
files to the terminal.
Fallback: Dagster's processes.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from orgdata_dagster.dagster_internals import NotThere, private

_EVERY = 0.5  # seconds
_AT_ONCE = 1 << 16
PATIENCE = 1.0  # seconds; a terminal that is paused must not keep a run from ending
_USER = "dagster._core.storage.local_compute_log_manager"


def mirror_in_threads() -> None:
    """Make this process show the output of its runs without additional processes."""
    with suppress(NotThere), private("capture of a run's output"):
        from dagster._core.execution import compute_logs

        make, redirect, descriptor_of = compute_logs.ensure_file, compute_logs.redirect_to_file, compute_logs._fileno

        @contextmanager
        def mirrored(stream: IO[str], path: str) -> Iterator[tuple[None, None]]:
            make(path)
            with copied(path, descriptor_of(stream)), redirect(stream, path):
                yield None, None

        for module in (compute_logs, sys.modules.get(_USER)):  # the second one imports the function by name
            if module is not None and module.mirror_stream_to_file.__module__ != __name__:
                module.mirror_stream_to_file = mirrored  # type: ignore[attr-defined]


@contextmanager
def copied(path: str, descriptor: int | None) -> Iterator[None]:
    """Until the context ends, copy new content of a file to the target of a descriptor. None: copy nothing."""
    if descriptor is None:
        yield
        return
    copied_to, ended = os.dup(descriptor), threading.Event()

    def copy() -> None:
        with open(path, "rb") as source, os.fdopen(copied_to, "wb", buffering=0) as target:
            while True:
                last = ended.wait(_EVERY)
                while part := source.read(_AT_ONCE):
                    with suppress(OSError):  # a terminal that was closed
                        target.write(part)
                if last:
                    return

    thread = threading.Thread(target=copy, name="mirror", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE)
