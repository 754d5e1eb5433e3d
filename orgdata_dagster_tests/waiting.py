"""Waiting for what a process or a thread is about to do.

Here: `wait_until`, the only loop of the tests that polls. Add here when: tests wait for another kind of thing.
Keep out: how fast something has to be; a test that promises a speed measures it itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 60.0  # seconds; far more than a busy machine needs
_POLL, _SLOWEST = 0.005, 0.03  # seconds between two looks: at first, and after a while


def wait_until(happened: Callable[[], object], what: str = "it", *, seconds: float = PATIENCE) -> None:
    """Return as soon as `happened()` is true. Fails the test after so many seconds."""
    end, pause = time.monotonic() + seconds, _POLL
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen within {seconds:g} s"
        time.sleep(pause)
        pause = min(_SLOWEST, pause * 1.1)


def text_of(file: Path) -> str:
    """The text of a file that another process is about to write."""
    wait_until(lambda: file.exists() and file.stat().st_size, f"a text in {file.name}")
    return file.read_text()
