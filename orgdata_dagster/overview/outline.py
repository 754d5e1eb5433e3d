"""The part of the configuration that `orgdata status` needs, cached in ORGDATA_HOME so that it need not load Dagster.

Here: `Outline`, and whether the cached one is still valid. Add here: a fact of the configuration that `status` shows.
Keep out: reading it from the definitions (from_definitions.py); anything that imports Dagster.

It is valid until one of the sources of the definitions changes: the files of the project's package, orgdata, Dagster,
and the environment variables whose names occur in those files or that a vendor reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from orgdata_dagster import settings
from orgdata_dagster.http.rate_limit import RateLimit, Rule, Window
from orgdata_dagster.orchestration.shared_state import shared_state

Grain = Literal["day", "week", "month"]
_OURS = "ORGDATA_"


@dataclass(frozen=True)
class Partitions:
    """The partitions of a table.

    start: the first day of the first partition.
    grain: None for partitions of another length, such as hours.
    """

    start: date
    grain: Grain | None

    def has(self, day: date) -> bool:
        """Whether one of the partitions starts on this day."""
        if self.grain == "week":
            return day.weekday() == self.start.weekday()
        if self.grain == "month":
            return day.day == self.start.day
        return True


@dataclass(frozen=True)
class VendorOutline:
    """A vendor and its rate limit.

    longest_pause: seconds; a pause is cut to this if the vendor asks for a longer one.
    off: for users, the variables to set if the vendor is not configured; otherwise "".
    """

    name: str
    rule: Rule
    longest_pause: float
    off: str = ""

    def rate_limit(self) -> RateLimit:
        """The rate limit, for reading its state."""
        return RateLimit(self.name, self.rule, shared_state(), longest_pause=self.longest_pause)


@dataclass(frozen=True)
class Outline:
    """The cached part of the configuration. An asset is named by its key, joined by slashes.

    tables: table, as `vendor.table` -> its partitions; None if they are not by time, or if it has none.
    vendors: the vendors and their rate limits.
    variables: names of the environment variables that the definitions read.
    syncs: asset that writes to a vendor -> its name for `orgdata sync`.
    checks: the asset and the name of every check.
    """

    tables: Mapping[str, Partitions | None]
    vendors: tuple[VendorOutline, ...]
    variables: tuple[str, ...] = ()
    syncs: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[tuple[str, str], ...] = ()


def keep(outline: Outline) -> None:
    """Cache the outline for the next command; errors are ignored."""
    path = _path()
    mine = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps({"made_of": _made_of(outline.variables), **asdict(outline)}, default=str)
    with suppress(OSError):
        with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        os.replace(mine, path)


def cached() -> Outline | None:
    """The cached outline, if it is still valid; else None."""
    try:
        found = json.loads(_path().read_text())
        if found["made_of"] != _made_of(found["variables"]):
            return None
        tables = {name: _partitions(each) for name, each in found["tables"].items()}
        checks = tuple((asset, check) for asset, check in found["checks"])
        vendors = tuple(map(_vendor, found["vendors"]))
        return Outline(tables, vendors, tuple(found["variables"]), found["syncs"], checks)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _partitions(kept: dict[str, Any] | None) -> Partitions | None:
    return Partitions(date.fromisoformat(kept["start"]), kept["grain"]) if kept else None


def _vendor(kept: dict[str, Any]) -> VendorOutline:
    rule = kept["rule"]
    buckets = tuple(tuple(Window(**window) for window in bucket) for bucket in rule["buckets"])
    return VendorOutline(kept["name"], Rule(**{**rule, "buckets": buckets}), kept["longest_pause"], kept["off"])


def _path() -> Path:
    return settings.home() / "outline.json"


def _made_of(variables: Iterable[str]) -> str:
    """A hash of the sources of the definitions; "" if they cannot be read."""
    root = settings.project_root()
    digest = hashlib.sha256(sys.version.encode())
    names = {*variables, *(name for name in os.environ if name.startswith(_OURS))}
    with suppress(OSError, ValueError, KeyError):
        for path in _files(root):
            state = path.stat()
            digest.update(f"{path}\0{state.st_mtime_ns}\0{state.st_size}\0".encode())
            if path.suffix in (".yaml", ".yml") or "defs" in path.parts:
                text = path.read_text(errors="replace")
                names |= {name for name in os.environ if len(name) > 1 and name in text}
        for name in sorted(names):
            digest.update(f"{name}={os.environ.get(name)}\0".encode())
        return digest.hexdigest()
    return ""


def _files(root: Path) -> Iterator[Path]:
    yield from (path for name in ("pyproject.toml", "dg.toml") if (path := root / name).exists())
    packages = {Path(settings.__file__).parent, settings.package_folder(root)}
    for package in sorted(packages):
        for folder, folders, names in os.walk(package):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            yield from (Path(folder, name) for name in sorted(names))
    if (dagster := find_spec("dagster")) and dagster.origin:
        yield Path(dagster.origin).with_name("version.py")


def grain_of(cron: str, start: date) -> Grain | None:
    """The grain of partitions with this cron schedule that begin at `start`; None if they have another length."""
    minute, hour, day, month, weekday = cron.split()
    if (minute, hour, month) != ("0", "0", "*"):
        return None
    if (day, weekday) == ("*", "*"):
        return "day"
    if (day, weekday) == ("*", str(start.isoweekday() % 7)):
        return "week"
    return "month" if (day, weekday) == (str(start.day), "*") else None
