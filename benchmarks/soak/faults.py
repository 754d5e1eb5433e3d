"""Every fault of the sandbox at every vendor, once and persistent, on the first, a middle and the last page.

Here: the order of the trials, and what must hold afterwards. One command pulls all five vendors, and each of them
plays the fault. The tables equal the truth before, so that a fault can both lose new rows and delete stored ones. With
a persistent fault, a partition may fail or be marked incomplete, but its rows stay right. Keep out: which faults there
are (fault_kinds.py).
"""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks.outside.five_vendors import QUIRKS
from benchmarks.outside.home import Home
from benchmarks.outside.server import Server
from benchmarks.soak.fault_kinds import CHANGES_A_ROW, variants
from benchmarks.soak.limits import SLOW, Limits
from benchmarks.soak.outcome import Tally

FOR_GOOD = 10_000
_NO_FAULT = "no fault"
_VENDORS = 5
_PULLS = 3  # per trial, at most
_PLACES = {"first": 0.0, "middle": 0.5, "last": 1.0}


@dataclass(frozen=True)
class Trial:
    """One fault and when it is played.

    places: the requests of a vendor that get the fault, as names in _PLACES.
    for_good: whether all requests after that one get it too.
    """

    name: str
    fault: Mapping[str, Any]
    places: tuple[str, ...]
    for_good: bool

    @property
    def condition(self) -> str:
        return f"{self.name}, {'persistent' if self.for_good else 'once'}"


def trials() -> list[Trial]:
    """All trials: each fault once on three pages, then from each page on. Faults that change rows come last."""
    found = variants()
    once = [Trial(name, fault, tuple(_PLACES), False) for name, fault in found.items()]
    good = [Trial(name, fault, (place,), True) for place in _PLACES for name, fault in found.items()]
    good = [each for each in good if each.fault["kind"] != CHANGES_A_ROW or each.places == ("first",)]
    return sorted([*once, *good], key=lambda trial: trial.fault["kind"] == CHANGES_A_ROW)


def plan(limits: Limits, tally: Tally) -> None:
    """Plan every fault at every vendor in every place, and two pulls per quirk."""
    tally.plan(_NO_FAULT, 0)
    for trial in _wanted(limits):
        tally.plan(trial.condition, len(trial.places) * _VENDORS)
    for quirk in filter(limits.wants, QUIRKS):
        tally.plan(quirk, 2)


def run(limits: Limits, tally: Tally) -> None:
    """Try the quirks of vendors and all faults, in several homes concurrently. Each home takes the next trial."""
    trials = _Trials(_wanted(limits))
    with ThreadPoolExecutor(limits.streams + 1) as pool:
        done = [pool.submit(_quirks, limits, tally)]
        done += [
            pool.submit(Stream(f"{n}", limits, tally).run, trials) for n in range(min(limits.streams, len(trials)))
        ]
        for each in done:
            each.result()


def _wanted(limits: Limits) -> list[Trial]:
    return [trial for trial in trials() if limits.wants(trial.condition)]


class _Trials:
    """The trials that are left; several threads take them one by one."""

    def __init__(self, trials: list[Trial]) -> None:
        self._trials = deque(trials)

    def __len__(self) -> int:
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        while True:
            try:
                yield self._trials.popleft()
            except IndexError:
                return


class Stream:
    """Tries faults in one home after the other. A home is used until something in it is wrong."""

    def __init__(self, name: str, limits: Limits, tally: Tally) -> None:
        self._folder = limits.folder / f"faults-{name}"
        self._limits = limits
        self._tally = tally
        self._homes = 0

    def run(self, trials: _Trials) -> None:
        with Server("five_vendors", {}, self._folder / "truth") as server:
            while len(trials) and self._limits.left > 0:
                home = self._new_home(server)
                if home is None:
                    return
                self._in_one_home(home, server, trials)

    def _new_home(self, server: Server) -> Home | None:
        shutil.rmtree(self._folder / f"home-{self._homes}", ignore_errors=True)
        self._homes += 1
        home = Home(self._folder / f"home-{self._homes}", server)
        for what in ("first pull", "second pull"):  # the second one sends as many requests as a trial will
            server.forget()
            ended = home.orgdata(*home.pull_words(), timeout=SLOW)
            good = self._tally.ended(_NO_FAULT, what, ended, may_fail=False)
            good = self._tally.compared(_NO_FAULT, what, home.differences(ended_well=ended.status == 0)) and good
            self._tally.tried(_NO_FAULT, {table.name.split(".")[0] for table in server.tables})
            if not good:
                return None
        return home

    def _in_one_home(self, home: Home, server: Server, trials: _Trials) -> None:
        """Try faults until something is wrong, rows were changed, or there is no time left."""
        requests = _requests(server)
        for trial in trials:
            good = self._try(home, server, requests, trial)
            if not good or trial.fault["kind"] == CHANGES_A_ROW or self._limits.left < 0:
                return

    def _try(self, home: Home, server: Server, requests: Mapping[str, int], trial: Trial) -> bool:
        """Pull until every vendor has played the fault in every place, because a pull may send fewer requests."""
        good, counted, played = True, dict(requests), Counter[str]()
        for _ in range(_PULLS):
            waiting = [vendor for vendor in requests if played[vendor] < len(trial.places)]
            if not waiting or not good:
                break
            server.forget()
            for vendor in waiting:
                schedule(server, vendor, trial, counted[vendor], trial.places[played[vendor] :])
            ended = home.orgdata(*home.pull_words(_selection(waiting)), timeout=SLOW)
            before, counted = played.copy(), _requests(server)
            played += Counter(entry["vendor"] for entry in server.log() if entry["fault"])
            tries = sum(min(played[vendor], len(trial.places)) - before[vendor] for vendor in waiting)
            self._tally.tried(trial.condition, played, tries)
            what = f"from the {' and the '.join(trial.places)} request"
            good = self._tally.ended(trial.condition, what, ended)
            forgiven = max(played.values(), default=0) if trial.fault["kind"] == CHANGES_A_ROW else 0
            found = home.differences(ended_well=ended.status == 0)
            good = self._tally.compared(trial.condition, what, found, forgiven) and good
        return good


def schedule(server: Server, vendor: str, trial: Trial, requests: int, places: Sequence[str]) -> None:
    if trial.for_good:
        after = round(_PLACES[places[0]] * max(0, requests - 1))
        server.fault(vendor, dict(trial.fault), times=FOR_GOOD, after=after)
        return
    before = -1
    for place in places:
        at = max(before + 1, round(_PLACES[place] * (requests - 1)))
        server.fault(vendor, dict(trial.fault), times=1, after=at - before - 1)
        before = at


def _selection(vendors: Sequence[str]) -> str:
    """Dagster's selection of the vendors' tables."""
    return "*" if len(vendors) == _VENDORS else " or ".join(f'group:"{vendor}"' for vendor in vendors)


def _requests(server: Server) -> Counter[str]:
    """Vendor -> number of requests of the last pull."""
    return Counter(entry["vendor"] for entry in server.log())


def _quirks(limits: Limits, tally: Tally) -> None:
    """Pull vendors that behave differently from their documents, twice each."""
    for number, quirk in enumerate(filter(limits.wants, QUIRKS)):
        if limits.left < 0:
            return
        folder = limits.folder / f"quirk-{number}"
        with Server("five_vendors", {"quirk": quirk}, folder / "truth") as server:
            home = Home(folder / "home", server)
            for what in ("first pull", "second pull"):
                ended = home.orgdata(*home.pull_words(), timeout=SLOW)
                tally.ended(quirk, what, ended)
                tally.compared(quirk, what, home.differences(ended_well=ended.status == 0))
                tally.tried(quirk, {entry["vendor"] for entry in server.log()})
        shutil.rmtree(folder)
