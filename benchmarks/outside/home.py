"""A user's machine in a temporary folder: a project of its own, ORGDATA_HOME, the environment, the command.

Here: what a user has. Keep out: starting processes (command.py), vendors (server.py).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.outside.command import Command, Ended
from benchmarks.outside.server import Server
from benchmarks.outside.truth import Difference, Table, compare

ORGDATA = str(Path(sys.executable).with_name("orgdata"))
_NOT_OURS = ("ORGDATA_", "DAGSTER_", "ACCUTICS_", "INSTITUTION_ANALYTICS_", "CHANNEL_REPORTS_", "OCTOLIS_", "TOGETHER_")
_PYPROJECT = '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "outside_project"\n'


class Home:
    """A user's machine. `folder` has the project, the state, and the output of each command."""

    def __init__(self, folder: Path, server: Server, *, limit: int | None = None) -> None:
        self.folder = folder
        self.server = server
        self.limit = limit
        self.warehouse = folder / "home" / "warehouse.duckdb"
        self._numbers = iter(range(1_000_000))
        _write_project(folder / "project", server.defs)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment variables of a user who has set up only this project."""
        from orgdata_dagster.sandbox.environment import environment

        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        own = {"ORGDATA_HOME": str(self.folder / "home"), "ORGDATA_PROJECT": str(self.folder / "project")}
        return {**kept, **own, **environment(self.server.url), **(extra or {})}

    def start(self, *args: str, words: Iterable[str] = (ORGDATA,), **extra: str) -> Command:
        """Start `orgdata ARGS`, or another program, in a group of its own."""
        where = self.folder / "commands" / f"{next(self._numbers):04d}"
        return Command([*words, *args], self.environment(extra), where, limit=self.limit)

    def orgdata(self, *args: str, timeout: float = 600) -> Ended:
        """Run `orgdata ARGS` from start to exit."""
        return self.start(*args).wait(timeout)

    def pull_words(self, selection: str = "*", *more: str) -> list[str]:
        """The arguments of `orgdata` for a pull of all days of the world."""
        first, last = self.server.days
        return ["pull", selection, "--from", str(first), "--to", str(last), *more]

    def differences(self, *, ended_well: bool, tables: Iterable[Table] | None = None) -> dict[str, Difference]:
        """Table -> its difference from the truth."""
        wanted = list(tables) if tables is not None else self.server.tables
        return compare(self.warehouse, wanted, self.server.folder, ended_well=ended_well)


def _write_project(folder: Path, defs: Mapping[str, dict[str, Any]]) -> None:
    package = folder / "outside_project"
    for path in (package, package / "defs"):
        path.mkdir(parents=True)
        (path / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    for vendor, text in defs.items():
        (package / "defs" / vendor).mkdir()
        (package / "defs" / vendor / "defs.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(text))))
