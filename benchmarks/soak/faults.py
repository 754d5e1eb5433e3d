"""Faults x vendors: each fault of the sandbox, once and for good, on the first, a middle and the last page.

Here: the order in which they are tried, and what is right afterwards. One command pulls all five vendors, each of
which plays the fault; tables that hold the truth are pulled again, so that a fault can lose rows and delete stored
ones. Under a fault that stays, a partition may fail or be called incomplete, but what it holds stays true. Keep out:
which faults there are (fault_kinds.py).
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
_PULLS = 3  # for one trial at most
_PLACES = {"first": 0.0, "middle": 0.5, "last": 1.0}


@dataclass(frozen=True)
class Trial:
    """`places`: shares of a vendor's requests, from 0 for its first to 1 for its last."""

    name: str
    fault: Mapping[str, Any]
    places: tuple[str, ...]
    for_good: bool

    @property
    def condition(self) -> str:
        return f"{self.name}, {'persistent' if self.for_good else 'once'}"


def trials() -> list[Trial]:
    """All of them: once on three pages of one pull, then for good from each page on; what spoils rows comes last."""
    found = variants()
    once = [Trial(name, fault, tuple(_PLACES), False) for name, fault in found.items()]
    good = [Trial(name, fault, (place,), True) for place in _PLACES for name, fault in found.items()]
    good = [each for each in good if each.fault["kind"] != CHANGES_A_ROW or each.places == ("first",)]
    return sorted([*once, *good], key=lambda trial: trial.fault["kind"] == CHANGES_A_ROW)


def plan(limits: Limits, tally: Tally) -> None:
    """Every vendor plays every fault in every place, and behaves in every way of its own at two pulls."""
    tally.plan(_NO_FAULT, 0)
    for trial in _wanted(limits):
        tally.plan(trial.condition, len(trial.places) * _VENDORS)
    for quirk in filter(limits.wants, QUIRKS):
        tally.plan(quirk, 2)


def run(limits: Limits, tally: Tally) -> None:
    """Try the vendors' own behaviour and all faults, in homes side by side. Each takes the next trial there is."""
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
    """Handed out one by one, to any thread."""

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
    """One home after the other, each used until something in it is wrong."""

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
        for what in ("first pull", "second pull"):  # the second one, upon what is stored, sends as many as a trial will
            server.forget()
            ended = home.orgdata(*home.pull_words(), timeout=SLOW)
            good = self._tally.ended(_NO_FAULT, what, ended, may_fail=False)
            good = self._tally.compared(_NO_FAULT, what, home.differences(ended_well=ended.status == 0)) and good
            self._tally.tried(_NO_FAULT, {table.name.split(".")[0] for table in server.tables})
            if not good:
                return None
        return home

    def _in_one_home(self, home: Home, server: Server, trials: _Trials) -> None:
        """Try until something is wrong, or rows were changed, or there is no time left."""
        requests = _requests(server)
        for trial in trials:
            good = self._try(home, server, requests, trial)
            if not good or trial.fault["kind"] == CHANGES_A_ROW or self._limits.left < 0:
                return

    def _try(self, home: Home, server: Server, requests: Mapping[str, int], trial: Trial) -> bool:
        """Play it until every vendor has, in every place: a pull may send fewer requests than the last one did."""
        good, counted, played = True, dict(requests), Counter[str]()
        for _ in range(_PULLS):
            waiting = [vendor for vendor in requests if played[vendor] < len(trial.places)]
            if not waiting or not good:
                break
            server.forget()
            for vendor in waiting:
                _queue(server, vendor, trial, counted[vendor], trial.places[played[vendor] :])
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


def _queue(server: Server, vendor: str, trial: Trial, requests: int, places: Sequence[str]) -> None:
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
    """Vendor -> the number of requests of the pull that was just made."""
    return Counter(entry["vendor"] for entry in server.log())


def _quirks(limits: Limits, tally: Tally) -> None:
    """Vendors that behave otherwise than their documents say: pulled twice, the second time upon what is stored."""
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
