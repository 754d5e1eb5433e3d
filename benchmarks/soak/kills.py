"""kill -9 at any moment: of the command, of a worker, of the whole tree, of `dev` alone; then `--resume`, and compare.

Here: whom to kill and when, and what must hold afterwards: no row wrong at once, nothing left running, and a pull that
goes on to the end. Keep out: comparing (outside/truth.py).
"""

from __future__ import annotations

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
DEV_SHARE = 12  # one kill in so many is of `dev`, which takes a minute to start and to have something to do
_RESUME_EVERY = 3  # kills, one of each kind
_START = 150.0  # seconds for `dev` to ask a vendor for the first time


def run(limits: Limits, tally: Tally) -> None:
    """All kills, those of `dev` in a home of their own beside the others."""
    dev = max(1, limits.kills // DEV_SHARE)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(_kill_dev, limits, tally, dev), pool.submit(_kill_pulls, limits, tally, limits.kills - dev)]
        for each in jobs:
            each.result()


def _kill_pulls(limits: Limits, tally: Tally, count: int) -> None:
    chance = random.Random(11)
    folder = limits.folder / "kills"
    with Server("five_vendors", {}, folder / "truth") as server:
        usual = 10.0
        for number in range(count):
            if limits.left < 0:
                tally.skip(f"{count - number} kills")
                return
            if number % _RESUME_EVERY == 0:
                shutil.rmtree(folder / "home", ignore_errors=True)
                home = Home(folder / "home", server)
            kind = KINDS[number % len(KINDS)]
            command = home.start(*home.pull_words("*", *(["--resume"] if number % _RESUME_EVERY else [])))
            time.sleep(chance.uniform(0.1, usual))
            _kill(command, kind, chance)
            condition = f"kill of the {kind}"
            _ended(home, tally, condition, command)
            if number % _RESUME_EVERY == _RESUME_EVERY - 1 or number == count - 1:
                began = time.monotonic()
                _resume(home, tally, condition)
                usual = (usual + time.monotonic() - began) / 2


def _kill_dev(limits: Limits, tally: Tally, count: int) -> None:
    chance = random.Random(12)
    folder = limits.folder / "dev"
    condition = "kill of dev"
    with Server("five_vendors", {"cron": "* * * * *"}, folder / "truth") as server:
        home = Home(folder / "home", server)
        for number in range(count):
            if limits.left < _START / 2:
                tally.skip(f"{count - number} kills of dev")
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
    """What must hold as soon as everything has ended, which it must by itself."""
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
