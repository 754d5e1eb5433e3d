"""Progress in the terminal: the running tables, and one line per table that has ended. Files and pipes get only lines.

Here: `ProgressView`. Keep out: the reports themselves (orchestration/assets/progress.py).
"""

from __future__ import annotations

import multiprocessing
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from orgdata_dagster.cli.layout import clock, hanging
from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.assets.progress import Progress, ProgressReport, Waiting

_SECONDS_BETWEEN_LINES = 2.0
_BAR = 20


class ProgressView:
    """Shows the progress per asset: partitions, rows, rows per second, requests, and what the run waits for.

    Durations are wall-clock time: the times of concurrent threads are not added up.
    """

    def __init__(self, console: Console, assets: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._assets = list(assets)
        self._started: dict[str, float] = {}  # in order
        self._ended: dict[str, str | None] = {}  # asset -> its error
        self._last: dict[str, Progress] = {}
        self._printed: dict[str, float] = {}
        self._waiting: dict[str, str] = {}
        self._reports: multiprocessing.Queue[ProgressReport] | None = None
        self._live = Live(console=console, get_renderable=self.picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

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
        """How many rows have been written to a vendor, in words; empty if the command does not write to one."""
        found = [each for each in self._last.values() if each.unit == "row"]
        return ", ".join(f"{each.done:,} of {counted(each.total, 'row', 'have')} been written" for each in found)

    def begun(self, asset: str) -> None:
        """Show that the run of an asset has started."""
        self._started.setdefault(asset, self._clock())

    def show(self, progress: ProgressReport) -> None:
        """Show a report of a run."""
        self.begun(progress.asset)
        if isinstance(progress, Waiting):
            self._wait(progress)
            return
        self._waiting.pop(progress.asset, None)
        self._last[progress.asset] = progress
        if not self._console.is_terminal:
            now = self._clock()
            if now - self._printed.get(progress.asset, float("-inf")) >= _SECONDS_BETWEEN_LINES:
                self._printed[progress.asset] = now
                self._line(progress.asset, self._facts(progress))

    def ended(self, asset: str, error: str | None) -> None:
        """Show that the run of an asset has ended; `error`: why it failed."""
        progress = self._last.get(asset)
        facts = f"{_end(progress)}: {self._facts(progress)}" if progress else "done"
        self._ended[asset] = error
        self._line(asset, f"failed: {error}" if error else facts, "red" if error else "")

    def picture(self) -> Group:
        """What the terminal shows below the lines: the running tables, and the progress of the whole command."""
        running = [asset for asset in self._started if asset not in self._ended]
        lines = [line for asset in running for line in self._running(asset)]
        return Group(*lines, *self._whole(running))

    def _running(self, asset: str) -> Iterator[Text]:
        progress, width = self._last.get(asset), self._console.width
        if progress is None:
            yield _cut(f"{asset}: starting", width)
        else:
            count = f" {progress.done:,} of {counted(progress.total, progress.unit)}"
            full = round(_BAR * progress.done / max(1, progress.total))
            bar = _bar(full) if len(asset) + 1 + _BAR + len(count) <= width else Text()
            yield _cut(f"{asset} ", width).append_text(bar).append(count)
            yield _cut(f"  {self._rows(progress)}", width)
        if what := self._waiting.get(asset):
            yield _cut(f"  {what}", width, "yellow")

    def _whole(self, running: Sequence[str]) -> Iterator[Text]:
        width, failed = self._console.width, sum(error is not None for error in self._ended.values())
        rows, requests = (sum(getattr(each, name) for each in self._last.values()) for name in ("rows", "requests"))
        ended = f"{len(self._ended) - failed} of {counted(len(self._assets), 'table')} done"
        done = ended + (f", {failed} failed" if failed else "")
        passed = clock(self._clock() - self._began)
        yield _cut(f"{done}; {counted(rows, 'row')}, {counted(requests, 'request')}, {passed}", width, "bold")
        if queued := self._queued(running):
            yield _cut(f"queued: {queued}", width, "dim")

    def _queued(self, running: Sequence[str]) -> str:
        """How many tables have not started, and what they wait for."""
        left = Counter(_vendor(asset) for asset in self._assets if asset not in self._started | self._ended)
        busy = {_vendor(asset) for asset in running}
        behind = [f"{count} behind {vendor}" for vendor, count in left.items() if vendor in busy]
        free = sum(count for vendor, count in left.items() if vendor not in busy)
        return ", ".join([*behind, *([f"{free} until a run ends"] if free else [])])

    def _wait(self, waiting: Waiting) -> None:
        if not self._console.is_terminal and self._waiting.get(waiting.asset) != waiting.what:
            self._line(waiting.asset, waiting.what)
        self._waiting[waiting.asset] = waiting.what

    def _line(self, asset: str, text: str, style: str = "") -> None:
        hanging(self._console, f"{asset}: ", text, indent=2, style=style)

    def _facts(self, progress: Progress) -> str:
        stale = f", {progress.superseded} not stored (the warehouse has newer snapshots)" if progress.superseded else ""
        done = f"{progress.done:,} of {counted(progress.total, progress.unit)}{stale}"
        if progress.unit == "row":
            return f"{done}{self._speed(progress)}, {self._cost(progress)}"
        return f"{done}, {self._rows(progress)}"

    def _rows(self, progress: Progress) -> str:
        return f"{counted(progress.rows, 'row')}{self._speed(progress)}, {self._cost(progress)}"

    def _speed(self, progress: Progress) -> str:
        passed = self._clock() - self._started[progress.asset]
        return f" ({progress.rows / passed:,.0f} rows/s)" if passed >= 1 and progress.rows else ""

    def _cost(self, progress: Progress) -> str:
        passed = self._clock() - self._started[progress.asset]
        waited = f" ({clock(progress.waited)} for the rate limit)" if progress.waited >= 1 else ""
        return f"{counted(progress.requests, 'request')}, {clock(passed)}{waited}"


def _vendor(asset: str) -> str:
    return asset.split("/")[0]


def _bar(full: int) -> Text:
    return Text("━" * full, "green").append("━" * (_BAR - full), "bright_black")


def _cut(text: str, width: int, style: str = "") -> Text:
    """The text on one line, cut off at `width`."""
    line = Text(text, style, no_wrap=True, overflow="ellipsis")
    line.truncate(width, overflow="ellipsis")
    return line


def _end(progress: Progress) -> str:
    return "superseded" if progress.superseded and progress.superseded == progress.done else "done"
