"""Progress in the terminal: one bar per asset, or single lines where the output is not a terminal.

Here: `ProgressView`. Keep out: what is reported (orchestration/assets/progress.py).
"""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from orgdata_dagster.orchestration.assets.progress import Progress, ProgressReport, Waiting

_SECONDS_BETWEEN_LINES = 2.0


class ProgressView:
    """Show the progress per asset: partitions, pages, rows, seconds spent waiting for the rate limit."""

    def __init__(self, console: Console, assets: Sequence[str]) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {
            asset: self._bars.add_task(asset, total=None, start=False, facts="waiting") for asset in assets
        }
        self._last: dict[str, Progress] = {}
        self._printed: dict[str, float] = {}
        self._waiting: dict[str, str] = {}
        self._reports: multiprocessing.Queue[ProgressReport] | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def listen(self, reports: multiprocessing.Queue[ProgressReport]) -> None:
        """Read reports from this queue whenever `catch_up` is called."""
        self._reports = reports

    def catch_up(self) -> None:
        """Show the reports that have arrived since the last call."""
        with suppress(queue.Empty):
            while self._reports is not None:
                self.show(self._reports.get_nowait())

    @property
    def written(self) -> str:
        """What was written to a vendor so far, in words; empty for a command that does not write to one."""
        found = [each for each in self._last.values() if each.unit == "rows"]
        return ", ".join(f"{each.done:,} of {each.total:,} rows have been written" for each in found)

    def show(self, progress: ProgressReport) -> None:
        """Show a report of a run."""
        if isinstance(progress, Waiting):
            self._wait(progress)
            return
        self._waiting.pop(progress.asset, None)
        self._last[progress.asset] = progress
        task = self._tasks[progress.asset]
        self._bars.start_task(task)
        self._bars.update(task, completed=progress.done, total=progress.total, facts=_facts(progress))
        if not self._console.is_terminal:
            now = time.monotonic()
            if now - self._printed.get(progress.asset, 0) >= _SECONDS_BETWEEN_LINES:
                self._printed[progress.asset] = now
                self._line(progress.asset, _facts(progress))

    def ended(self, asset: str, error: str | None) -> None:
        """Show that the run of an asset has ended; `error`: why it failed."""
        progress = self._last.get(asset)
        facts = f"{_end(progress)}: {_facts(progress)}" if progress else "done"
        self._bars.update(self._tasks[asset], facts="failed" if error else facts)
        if not self._console.is_terminal:
            self._line(asset, f"failed: {error}" if error else facts)

    def _wait(self, waiting: Waiting) -> None:
        self._bars.update(self._tasks[waiting.asset], facts=waiting.what)
        if not self._console.is_terminal and self._waiting.get(waiting.asset) != waiting.what:
            self._line(waiting.asset, waiting.what)
        self._waiting[waiting.asset] = waiting.what

    def _line(self, asset: str, text: str) -> None:
        self._console.print(f"{asset}: {text}", markup=False, highlight=False, soft_wrap=True)


def _end(progress: Progress) -> str:
    return "superseded" if progress.superseded and progress.superseded == progress.done else "done"


def _facts(progress: Progress) -> str:
    parts = (
        f"{progress.done} of {progress.total} {progress.unit}, {progress.pages} {progress.page}, {progress.rows:,} rows"
    )
    stale = f", {progress.superseded} not stored (the warehouse has newer snapshots)" if progress.superseded else ""
    return f"{parts}{stale}, {progress.waited:.0f} s waiting for the rate limit"
