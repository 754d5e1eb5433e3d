"""Problems: states about which people are notified when they begin and when they end.

Here: `Problem`, and the changes between two searches. Add here when: all kinds need another property.
Keep out: finding problems (run_problems.py and the like), sending messages (sensor.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["run", "check", "overdue", "gap", "pause", "token", "sensor", "rejections"]
OTHER = "orgdata"
"""Replaces the vendor for a problem without a vendor, such as a failing job."""


@dataclass(frozen=True)
class Problem:
    """A state that should not last.

    vendor: the vendor whose messages contain it, or OTHER.
    subject: a table, sensor, job or vendor.
    text: a redacted description; it may change while the problem lasts.
    link: path in the UI.
    since: when it was first seen (ISO 8601, UTC).
    """

    kind: Kind
    vendor: str
    subject: str
    text: str
    link: str = ""
    since: str = ""

    @property
    def key(self) -> str:
        """The identity of the problem: kind and subject."""
        return f"{self.kind} {self.subject}"

    def as_json(self) -> dict[str, Any]:
        """The problem as JSON, for the sensor's cursor."""
        return asdict(self)


@dataclass
class Found:
    """The result of a search for problems.

    problems: key -> problem.
    undecided: keys of problems that may begin, last or end, such as problems of a run that is in progress.
    all_undecided: kinds whose search failed.
    """

    problems: dict[str, Problem] = field(default_factory=dict)
    undecided: set[str] = field(default_factory=set)
    all_undecided: set[Kind] = field(default_factory=set)

    def add(self, *problems: Problem) -> None:
        """Add problems."""
        self.problems |= {each.key: each for each in problems}

    def after(self, before: Mapping[str, Problem], now: str) -> dict[str, Problem]:
        """The present problems, given the problems before."""
        lasting = {
            key: each
            for key, each in before.items()
            if key not in self.problems and (key in self.undecided or each.kind in self.all_undecided)
        }
        seen = {
            key: Problem(**{**each.as_json(), "since": before[key].since if key in before else now})
            for key, each in self.problems.items()
        }
        return {**lasting, **seen}


def by_vendor(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Vendor -> its problems, in order of the subject."""
    found: dict[str, list[Problem]] = {}
    for each in sorted(problems, key=lambda problem: (problem.vendor, problem.subject, problem.kind)):
        found.setdefault(each.vendor, []).append(each)
    return found
