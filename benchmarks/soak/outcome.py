"""The outcome of each condition, and the table of all outcomes.

Here: counting, and the findings in words. Keep out: trying conditions.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.outside import table
from benchmarks.outside.command import TRACEBACK, Ended
from benchmarks.outside.truth import Difference

_WRONG_USE = 2  # orgdata's exit status for wrong arguments
NOT_RUN = "not run"
HEAD = ("condition", "vendors", "tries", "rows lost", "duplicated", "altered", "stuck", "crashed")


@dataclass
class Outcome:
    """One line of the table. `planned`: number of planned tries."""

    condition: str
    vendors: set[str] = field(default_factory=set)
    tries: int = 0
    planned: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    stuck: int = 0
    crashed: int = 0

    @property
    def good(self) -> bool:
        return not (self.lost or self.duplicated or self.altered or self.stuck or self.crashed)

    @property
    def left(self) -> int:
        """Number of planned tries that did not take place."""
        return max(0, self.planned - self.tries)

    @property
    def row(self) -> tuple[object, ...]:
        figures = (self.lost, self.duplicated, self.altered, self.stuck, self.crashed)
        if not self.tries and self.good:
            return (self.condition, "-", NOT_RUN, *("-" for _ in figures))
        vendors = "all five" if len(self.vendors) == 5 else ", ".join(sorted(self.vendors))
        tries = f"{self.tries} of {self.planned}" if self.left else self.tries
        return (self.condition, vendors, tries, *figures)


class Tally:
    """The outcomes by condition, in the order in which they were first mentioned. Thread-safe."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._lock = threading.RLock()
        self.findings: list[str] = []
        self.skipped: list[str] = []
        self.notes: list[str] = []

    @property
    def good(self) -> bool:
        """Whether nothing was wrong in any try."""
        return all(outcome.good for outcome in self.outcomes.values())

    @property
    def whole(self) -> bool:
        """Whether everything that was planned was tried."""
        return not any(outcome.left for outcome in self.outcomes.values())

    def not_run(self) -> list[str]:
        """The conditions with planned tries that did not take place."""
        return [
            f"{each.condition} ({each.left} of {each.planned} tries)" for each in self.outcomes.values() if each.left
        ]

    def text(self) -> str:
        with self._lock:
            return table.text(HEAD, [outcome.row for outcome in self.outcomes.values()])

    def plan(self, condition: str, tries: int) -> None:
        """Plan tries of a condition. Lines are in the order of the plan."""
        with self._lock:
            self._of(condition).planned += tries

    def tried(self, condition: str, vendors: Iterable[str], tries: int = 1) -> None:
        with self._lock:
            outcome = self._of(condition)
            outcome.tries += tries
            outcome.vendors |= set(vendors)

    def ended(self, condition: str, what: str, ended: Ended, *, may_fail: bool = True, killed: bool = False) -> bool:
        """Count a command that hung or crashed; returns whether neither happened.

        may_fail: whether the command may fail with a reason, as under a persistent fault.
        killed: whether the command was killed on purpose.
        """
        crashed = TRACEBACK in ended.text if killed else ended.crashed
        crashed = crashed or ended.status == _WRONG_USE or (not may_fail and ended.status != 0 and not ended.stuck)
        with self._lock:
            outcome = self._of(condition)
            if ended.stuck:
                outcome.stuck += 1
                self._found(f"{condition}: {what}: stuck after {ended.seconds:.0f} s: {_end(ended)}")
            elif crashed:
                outcome.crashed += 1
                memory = f", {ended.out_of_memory} killed for lack of memory" if ended.out_of_memory else ""
                self._found(f"{condition}: {what}: exit status {ended.status}{memory}: {_end(ended)}")
        return not (ended.stuck or crashed)

    def compared(self, condition: str, what: str, found: Mapping[str, Difference], forgiven: int = 0) -> bool:
        """Count wrong rows; returns whether there are none. `forgiven`: number of expected altered rows per table."""
        good = True
        with self._lock:
            outcome = self._of(condition)
            for name, difference in found.items():
                altered = max(0, difference.altered - forgiven)
                outcome.lost += difference.lost
                outcome.duplicated += difference.duplicated
                outcome.altered += altered
                if difference.lost or difference.duplicated or altered:
                    good = False
                    self._found(
                        f"{condition}: {what}: {name}: of {difference.truth} rows {difference.lost} lost, "
                        f"{difference.duplicated} duplicated, {altered} altered"
                    )
        return good

    def note(self, text: str) -> None:
        """Print a note after the table, and at once."""
        with self._lock:
            self.notes.append(text)
        print(text, file=sys.stderr, flush=True)

    def skip(self, what: str) -> None:
        """Note something that cannot be tried on this machine."""
        with self._lock:
            self.skipped.append(what)

    def _of(self, condition: str) -> Outcome:
        return self.outcomes.setdefault(condition, Outcome(condition))

    def _found(self, text: str) -> None:
        self.findings.append(text)
        print(f"wrong: {text}", file=sys.stderr, flush=True)


def _end(ended: Ended) -> str:
    """The last lines that a command printed."""
    lines = [line.strip() for line in (ended.err or ended.out).splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:]
