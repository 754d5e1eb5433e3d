"""Faults x vendors: each fault of the sandbox, once and for good, on the first, a middle and the last page.

Here: the order in which they are tried, and what is right afterwards. One command pulls all five vendors, each of
which plays the fault; tables that hold the truth are pulled again, so that a fault can lose rows and delete stored
ones. Under a fault that stays, a partition may fail or be called incomplete, but what it holds stays true. Keep out:
which faults there are (fault_kinds.py).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
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


def run(limits: Limits, tally: Tally) -> None:
    """Try the vendors' own behaviour, then all faults, in two homes side by side."""
    tally.tried("no fault", (), 0)
    every = [trial for trial in trials() if limits.wants(trial.condition)]
    for trial in every:
        tally.tried(trial.condition, (), 0)  # lines in a fixed order, whichever stream is faster
    with ThreadPoolExecutor(limits.streams) as pool:
        done = [pool.submit(_quirks, limits, tally)]
        shares = [every[number :: limits.streams] for number in range(limits.streams)]
        done += [
            pool.submit(Stream(f"{number}", limits, tally).run, share) for number, share in enumerate(shares) if share
        ]
        for each in done:
            each.result()


class Stream:
    """One home after the other, each used until something in it is wrong."""

    def __init__(self, name: str, limits: Limits, tally: Tally) -> None:
        self._folder = limits.folder / f"faults-{name}"
        self._limits = limits
        self._tally = tally
        self._homes = 0

    def run(self, share: list[Trial]) -> None:
        with Server("five_vendors", {}, self._folder / "truth") as server:
            trials = iter(share)
            while True:
                home = self._new_home(server)
                requests = _requests(server)
                if home is None or not self._in_one_home(home, server, requests, trials):
                    break
            for trial in trials:
                self._tally.skip(f"{trial.condition}, {' '.join(trial.places)}")

    def _new_home(self, server: Server) -> Home | None:
        shutil.rmtree(self._folder / f"home-{self._homes}", ignore_errors=True)
        self._homes += 1
        server.forget()
        home = Home(self._folder / f"home-{self._homes}", server)
        ended = home.orgdata(*home.pull_words(), timeout=SLOW)
        good = self._tally.ended("no fault", "first pull", ended, may_fail=False)
        good = self._tally.compared("no fault", "first pull", home.differences(ended_well=ended.status == 0)) and good
        self._tally.tried("no fault", {table.name.split(".")[0] for table in server.tables})
        return home if good else None

    def _in_one_home(self, home: Home, server: Server, requests: Mapping[str, int], trials: Iterator[Trial]) -> bool:
        """Whether there is something left to try, in another home."""
        for trial in trials:
            if self._limits.left < 0:
                self._tally.skip(f"{trial.condition}, {' '.join(trial.places)}")
                continue
            if not self._try(home, server, requests, trial) or trial.fault["kind"] == CHANGES_A_ROW:
                return True
        return False

    def _try(self, home: Home, server: Server, requests: Mapping[str, int], trial: Trial) -> bool:
        server.forget()
        for vendor, count in requests.items():
            _queue(server, vendor, trial, count)
        ended = home.orgdata(*home.pull_words(), timeout=SLOW)
        played = Counter(entry["vendor"] for entry in server.log() if entry["fault"])
        what = f"from the {' and the '.join(trial.places)} request"
        self._tally.tried(trial.condition, played, len(played) * len(trial.places))
        good = self._tally.ended(trial.condition, what, ended)
        forgiven = max(played.values(), default=0) if trial.fault["kind"] == CHANGES_A_ROW else 0
        found = home.differences(ended_well=ended.status == 0)
        return self._tally.compared(trial.condition, what, found, forgiven) and good


def _queue(server: Server, vendor: str, trial: Trial, requests: int) -> None:
    if trial.for_good:
        after = round(_PLACES[trial.places[0]] * (requests - 1))
        server.fault(vendor, dict(trial.fault), times=FOR_GOOD, after=after)
        return
    before = -1
    for place in trial.places:
        at = max(before + 1, round(_PLACES[place] * (requests - 1)))
        server.fault(vendor, dict(trial.fault), times=1, after=at - before - 1)
        before = at


def _requests(server: Server) -> Counter[str]:
    """Vendor -> the number of requests of the pull that was just made."""
    return Counter(entry["vendor"] for entry in server.log())


def _quirks(limits: Limits, tally: Tally) -> None:
    """Vendors that behave otherwise than their documents say: pulled twice, the second time upon what is stored."""
    for number, quirk in enumerate(filter(limits.wants, QUIRKS)):
        if limits.left < 0:
            tally.skip(quirk)
            continue
        folder = limits.folder / f"quirk-{number}"
        with Server("five_vendors", {"quirk": quirk}, folder / "truth") as server:
            home = Home(folder / "home", server)
            for what in ("first pull", "second pull"):
                ended = home.orgdata(*home.pull_words(), timeout=SLOW)
                tally.ended(quirk, what, ended)
                tally.compared(quirk, what, home.differences(ended_well=ended.status == 0))
                tally.tried(quirk, {entry["vendor"] for entry in server.log()})
        shutil.rmtree(folder)
