"""The first hour of a user who has a wheel and nothing else: no checkout, no folder, no documents.

`make test` installs the wheel without its dependencies, which are those of this environment. `make test-install`
(ORGDATA_TEST_INSTALL=1) installs it with all of them, on every Python of this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox import together
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.server import Sandbox

ROOT = Path(__file__).parent.parent
EVERYTHING = bool(os.environ.get("ORGDATA_TEST_INSTALL"))
_PACE = 0.05
_SECONDS = 400  # until the UI answers, on a busy machine
_VERSIONS = ("3.11", "3.12", "3.13")


def pythons() -> list[str]:
    """The interpreters to test: this one, or with ORGDATA_TEST_INSTALL one of each installed version."""
    if not EVERYTHING:
        return [sys.executable]
    versions = Path.home() / ".pyenv" / "versions"
    found = {each: [*versions.glob(f"{each}.*/bin/python{each}"), shutil.which(f"python{each}")] for each in _VERSIONS}
    return [str(paths[0]) for paths in found.values() if paths[0]]


@dataclass(frozen=True)
class Machine:
    """A user's machine: the command, and a folder of the user. No variable of orgdata is set."""

    command: Path
    folder: Path

    def run(self, *words: str, below: str = ".", timeout: float = 300, **variables: str) -> str:
        """The output of `orgdata ...`, which must succeed."""
        done = self.start(*words, below=below, timeout=timeout, **variables)
        assert done.returncode == 0, f"orgdata {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(
        self, *words: str, below: str = ".", timeout: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `orgdata ...` in a folder below the user's."""
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return subprocess.run(
            [self.command, *words],
            cwd=self.folder / below,
            env=clean | variables,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    copy, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "orgdata_dagster", copy / "orgdata_dagster", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(made), str(copy))
    [found] = made.glob("orgdata-*.whl")
    return found


@pytest.fixture(params=pythons())
def machine(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Machine:
    """The wheel in a separate environment."""
    place = tmp_path / "venv"
    subprocess.run([request.param, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    words = [] if EVERYTHING else ["--no-deps"]
    _pip("--python", str(place / "bin" / "python"), "install", "--no-compile", *words, str(wheel))
    if not EVERYTHING:
        [packages] = place.glob("lib/python*/site-packages")
        # its folders are searched, but its .pth files are not read, by which this checkout is installed
        (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (tmp_path / "anywhere").mkdir()
    return Machine(place / "bin" / "orgdata", tmp_path / "anywhere")


def _pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *words],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def vendor() -> Iterator[Sandbox]:
    with Sandbox(together.demo(limits=together.document_limits(_PACE))) as running:
        yield running


def test_from_an_empty_folder_to_the_tables_of_the_one_vendor_with_credentials(
    machine: Machine, vendor: Sandbox
) -> None:
    told = machine.start("status")
    assert told.returncode == 2
    assert "make one with `orgdata init FOLDER`" in told.stderr, "not the checkout's project"
    assert "cp .env.example .env" in machine.run("init", "mine", "--vendors", "together,octolis")
    variables = environment(vendor.url)
    example = (machine.folder / "mine/.env.example").read_text()
    names = re.findall(r"^(?:# )?(TOGETHER_\w+)=", example, re.MULTILINE)
    assert names
    text = "".join(f"{name}={variables[name]}\n" for name in names)
    (machine.folder / "mine/.env").write_text(f"{text}{settings.TEST_SERVER_PACE}={_PACE}\n")
    off = "octolis is not configured: set OCTOLIS_API_KEY"
    assert off in machine.run("validate", below="mine/mine")
    assert machine.run("pull", below="mine").count(off) == 1
    tables = json.loads(machine.run("status", "--json", below="mine"))["tables"]
    rows = {table["table"]: table["rows"] for table in tables}
    assert [rows[f"octolis.{name}"] for name in ("contacts", "customers", "orders", "vip")] == [0] * 4
    warehouse = machine.folder / "mine/.orgdata/warehouse.duckdb"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for name in ("users", "pairings", "sessions"):
            [(held,)] = connection.execute(f"SELECT count(*) FROM together.{name}").fetchall()
            assert held == rows[f"together.{name}"] == len(vendor.together.truth(name) or ()) > 0
    assert list(machine.folder.iterdir()) == [machine.folder / "mine"], "nothing is written elsewhere"
    if EVERYTHING:
        shown = _catalog(machine)
        of_together = {name: landed for name, (landed, _) in shown.items() if name.startswith("together/")}
        assert of_together == dict.fromkeys(("together/users", "together/pairings", "together/sessions"), True)
        assert off.removeprefix("octolis is ") in shown["octolis/contacts"][1]


def _catalog(machine: Machine) -> dict[str, tuple[bool, str]]:
    """Asset -> whether it has landed, and its description, as the UI that `orgdata dev` serves shows them."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    query = "{assetNodes {assetKey {path} description assetMaterializations(limit: 1) {runId}}}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with open(machine.folder.parent / "dev.log", "wb") as log:
        dev = subprocess.Popen(
            [machine.command, "dev", "--port", str(port)],
            cwd=machine.folder / "mine",
            env=clean,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(_SECONDS):
                time.sleep(1)
                with suppress(OSError):
                    found = json.load(urllib.request.urlopen(request, timeout=30))["data"]["assetNodes"]
                    if found:
                        break
            else:
                raise AssertionError((machine.folder.parent / "dev.log").read_text())
        finally:
            dev.send_signal(signal.SIGTERM)
            dev.wait(60)
    return {
        "/".join(each["assetKey"]["path"]): (bool(each["assetMaterializations"]), each["description"] or "")
        for each in found
    }


@pytest.mark.skipif(not EVERYTHING, reason="make test-install")
def test_the_demo_in_any_folder(machine: Machine) -> None:
    assert "orgdata init mine" in machine.run("demo", "--no-ui")
    assert json.loads(machine.run("status", "--json", below=".orgdata-demo"))["failing_checks"] == []
