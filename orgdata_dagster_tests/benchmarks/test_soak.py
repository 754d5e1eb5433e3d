"""The logic of `make soak`: what it counts, which faults it finds, where it plays them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.outside.command import Ended
from benchmarks.outside.server import Server
from benchmarks.outside.truth import Difference
from benchmarks.soak import fault_kinds, faults, kills
from benchmarks.soak.limits import Limits
from benchmarks.soak.outcome import Tally
from orgdata_dagster.sandbox.faults import KINDS, from_json

GOOD = Ended(0, 1.0, 1.0, 1, "done", "", stuck=False)
NONE = Difference(truth=10)


def columns(tally: Tally) -> list[str]:
    """The figures of the only line."""
    (line,) = tally.text().splitlines()[2:]
    return [cell.strip() for cell in line.split("|")[3:-1]]


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (GOOD, (0, 0)),
        (replace(GOOD, stuck=True), (1, 0)),
        (replace(GOOD, status=-11), (0, 1)),
        (replace(GOOD, status=1, err="failed: too many rows are missing"), (0, 0)),
        (replace(GOOD, status=1, err="Traceback (most recent call last):\n..."), (0, 1)),
        (replace(GOOD, status=1, err="failed: a worker process was killed; pull again"), (0, 1)),
        (replace(GOOD, out_of_memory=1), (0, 1)),
        (replace(GOOD, status=2, err="orgdata: unknown field"), (0, 1)),
    ],
)
def test_a_stuck_or_crashed_command_is_counted(ended: Ended, expected: tuple[int, int]) -> None:
    tally = Tally()
    tally.tried("x", ["octolis"])
    assert tally.ended("x", "pull", ended) == (expected == (0, 0))
    assert columns(tally)[-2:] == [str(count) for count in expected]
    assert tally.good == (expected == (0, 0))


def test_a_failure_counts_where_nothing_may_fail_and_a_signal_does_not_where_we_sent_it() -> None:
    tally = Tally()
    assert not tally.ended("x", "pull", replace(GOOD, status=1), may_fail=False)
    assert tally.ended("x", "killed pull", replace(GOOD, status=-9), killed=True)
    assert columns(tally)[-1] == "1"


def test_wrong_rows_are_counted_but_for_those_that_the_fault_itself_has_changed() -> None:
    tally = Tally()
    tally.tried("x", ["octolis"])
    assert not tally.compared("x", "pull", {"octolis.a": replace(NONE, lost=1, altered=3), "octolis.b": NONE}, 2)
    assert tally.compared("x", "pull", {"octolis.a": replace(NONE, altered=2, missing=5)}, forgiven=2)
    assert columns(tally) == ["1", "1", "0", "1", "0", "0"]
    assert len(tally.findings) == 1


def test_every_kind_of_fault_that_the_sandbox_has_is_tried_and_can_be_made() -> None:
    found = list(fault_kinds.variants().values())
    assert {fault["kind"] for fault in found} == set(KINDS)
    for fault in found:
        from_json(fault)  # raises for fields that the kind does not have
    tried = {(trial.condition, trial.places) for trial in faults.trials()}
    assert len(tried) == len(faults.trials())


def test_a_new_kind_with_choices_needs_no_line_and_one_without_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Vague:
        amount: float

    monkeypatch.setattr(fault_kinds, "KINDS", {"vague": Vague})
    with pytest.raises(TypeError, match=r"vague.*amount"):
        fault_kinds.variants()


class Recorder:
    """Notes on which requests (from 0) a fault would be played."""

    def __init__(self) -> None:
        self.queue: list[bool] = []

    def fault(self, vendor: str, fault: dict[str, Any], *, times: int, after: int) -> None:  # noqa: ARG002
        self.queue += [False] * after + [True] * min(times, 20)

    @property
    def played(self) -> list[int]:
        return [number for number, fault in enumerate(self.queue) if fault]


@pytest.mark.parametrize(
    ("requests", "places", "for_good", "expected"),
    [
        (9, ("first", "middle", "last"), False, [0, 4, 8]),
        (1, ("first", "middle", "last"), False, [0, 1, 2]),  # three tries at the one page
        (9, ("middle",), True, list(range(4, 24))),
        (9, ("last",), True, list(range(8, 28))),
    ],
)
def test_faults_are_played_on_the_first_the_middle_and_the_last_request(
    requests: int, places: tuple[str, ...], for_good: bool, expected: list[int]
) -> None:
    recorder = Recorder()
    trial = faults.Trial("html", {"kind": "html"}, places, for_good)
    faults.schedule(cast(Server, recorder), "octolis", trial, requests, places)
    assert recorder.played == expected


def test_what_had_no_turn_is_shown_as_not_run_and_is_no_success() -> None:
    tally = Tally()
    tally.plan("x", 3)
    assert columns(tally) == ["not run", "-", "-", "-", "-", "-"]
    tally.tried("x", ["octolis"], 2)
    assert columns(tally) == ["2 of 3", "0", "0", "0", "0", "0"]
    assert tally.not_run() == ["x (1 of 3 tries)"]
    assert not tally.whole
    tally.tried("x", ["octolis"])
    assert columns(tally)[0] == "3"
    assert tally.whole


def test_the_plan_has_every_fault_in_every_place_and_every_kill(tmp_path: Path) -> None:
    tally = Tally()
    limits = Limits(tmp_path, until=0.0)
    for plan in (faults.plan, kills.plan):
        plan(limits, tally)
    planned = {condition: each.planned for condition, each in tally.outcomes.items()}
    assert planned["empty rows, once"] == planned["empty rows, persistent"] == 15
    kinds = {name: count for name, count in planned.items() if name.startswith("kill ")}
    assert sum(kinds.values()) == limits.kills == 50
    assert min(kinds.values()) == kinds["kill of dev"] == 4
