"""kill -9 at a random moment, of the command, a worker, all processes, or `dev`; then `--resume`, and compare.

Here: what is killed and when, and what must hold afterwards: no row is wrong, nothing is left running, and a pull with
`--resume` succeeds. Keep out: comparing (outside/truth.py).
"""

from __future__ import annotations

import math
import random
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from benchmarks.outside.command import Command
from benchmarks.outside.home import Home
from benchmarks.outside.server import Server
from benchmarks.soak.limits import SLOW, Limits
from benchmarks.soak.outcome import Tally

KINDS = ("command", "worker", "tree")
DEV_SHARE = 12  # one kill in 12 is of `dev`, which takes a minute until it pulls
_RESUME_EVERY = 3  # kills: one of each kind
_OF_DEV = "kill of dev"
_START = 150.0  # seconds until `dev` sends its first request


def plan(limits: Limits, tally: Tally) -> None:
    """Plan the requested number of kills."""
    tally.plan(_OF_DEV, _dev_kills(limits))
    for count in _shares(limits):
        for number in range(count):
            tally.plan(_condition(number), 1)


def run(limits: Limits, tally: Tally) -> None:
    """Try all kills, in several homes concurrently; the kills of `dev` have a home of their own."""
    with ThreadPoolExecutor(limits.streams + 1) as pool:
        jobs = [pool.submit(_kill_dev, limits, tally, _dev_kills(limits))]
        jobs += [pool.submit(_kill_pulls, limits, tally, *share) for share in enumerate(_shares(limits))]
        for each in jobs:
            each.result()


def _dev_kills(limits: Limits) -> int:
    return max(1, limits.kills // DEV_SHARE)


def _shares(limits: Limits) -> list[int]:
    """Number of kills of pulls per thread, in multiples of three: a home is used for one kill of each kind."""
    left, shares = limits.kills - _dev_kills(limits), list[int]()
    for homes in range(limits.streams, 0, -1):
        share = min(left, math.ceil(left / homes / _RESUME_EVERY) * _RESUME_EVERY)
        shares.append(share)
        left -= share
    return shares


def _condition(number: int) -> str:
    return f"kill of the {KINDS[number % len(KINDS)]}"


def _kill_pulls(limits: Limits, tally: Tally, stream: int, count: int) -> None:
    chance = random.Random(11 + stream)
    folder = limits.folder / f"kills-{stream}"
    with Server("five_vendors", {}, folder / "truth") as server:
        usual = 10.0
        for number in range(count):
            if limits.left < 0:
                return
            if number % _RESUME_EVERY == 0:
                shutil.rmtree(folder / "home", ignore_errors=True)
                home = Home(folder / "home", server)
            command = home.start(*home.pull_words("*", *(["--resume"] if number % _RESUME_EVERY else [])))
            time.sleep(chance.uniform(0.1, usual))
            _kill(command, KINDS[number % len(KINDS)], chance)
            condition = _condition(number)
            _ended(home, tally, condition, command)
            if number % _RESUME_EVERY == _RESUME_EVERY - 1 or number == count - 1:
                began = time.monotonic()
                _resume(home, tally, condition)
                usual = (usual + time.monotonic() - began) / 2


def _kill_dev(limits: Limits, tally: Tally, count: int) -> None:
    chance = random.Random(12)
    folder = limits.folder / "dev"
    condition = _OF_DEV
    with Server("five_vendors", {"cron": "* * * * *"}, folder / "truth") as server:
        home = Home(folder / "home", server)
        for _ in range(count):
            if limits.left < 0:
                return
            server.forget()
            command = home.start("dev", "--port", str(_free_port()))
            asked = chance.randrange(1, 25)
            _wait_for(partial(_has_asked, server, command, asked))
            if not command.running:
                tally.ended(condition, "dev ended by itself", command.wait(1), may_fail=False)
                continue
            command.kill(command.pid)
            _ended(home, tally, condition, command)
            _resume(home, tally, condition)


def _kill(command: Command, kind: str, chance: random.Random) -> None:
    if kind == "command":
        command.kill(command.pid)
    elif kind == "tree":
        command.kill()
    else:
        _wait_for(lambda: bool(command.children()) or not command.running, 20)
        command.kill(*chance.sample(command.children(), 1) if command.children() else [command.pid])


def _has_asked(server: Server, command: Command, requests: int) -> bool:
    return len(server.log()) >= requests or not command.running


def _ended(home: Home, tally: Tally, condition: str, command: Command) -> None:
    """Check that everything ends by itself, and that no row is wrong then."""
    ended = command.wait(SLOW)
    tally.tried(condition, {table.name.split(".")[0] for table in home.server.tables})
    tally.ended(condition, "after the kill", ended, killed=True)
    tally.compared(condition, "after the kill", home.differences(ended_well=False))


def _resume(home: Home, tally: Tally, condition: str) -> None:
    resumed = home.orgdata(*home.pull_words("*", "--resume"), timeout=SLOW)
    tally.ended(condition, "--resume", resumed, may_fail=False)
    tally.compared(condition, "after --resume", home.differences(ended_well=True))


def _wait_for(condition: Callable[[], bool], seconds: float = _START) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
