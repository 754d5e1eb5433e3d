"""Creating a new project: package, YAML per vendor, pyproject.toml, test, CI example.

Here: the files that `orgdata init` and `orgdata demo` write. Add here when: every new project needs another file
(template/). Keep out: questions to the user (cli/init.py); the vendors' YAML, which is copied from defs/.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

import orgdata_dagster
from orgdata_dagster.file_modes import usual_modes
from orgdata_dagster.project import yaml_files
from orgdata_dagster.vendors.base.component import VendorComponent

_TEMPLATES = Path(__file__).with_name("template")
_SHIPPED = Path(orgdata_dagster.__file__).with_name("defs")
_START = re.compile(r'^  start_date: "[^"]*"', re.MULTILINE)
_LIMITS = re.compile(r"^  limits: .*$", re.MULTILINE)
_FILES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
    "tests/test_definitions.py": "test_definitions.py",
    ".github/workflows/check.yml": "ci.yml",
    "{package}/definitions.py": "definitions.py",
}


def vendors() -> list[str]:
    """The vendors whose YAML is shipped."""
    return sorted(path.parent.name for path in _SHIPPED.glob("*/defs.yaml"))


def package_name(name: str) -> str:
    """The package name for a project: a valid Python name that no other package has."""
    made = re.sub(r"\W", "_", name.lower(), flags=re.ASCII).strip("_") or "project"
    made = f"_{made}" if made[0].isdigit() else made
    return f"{made}_project" if keyword.iskeyword(made) or made in ("tests", "test") or find_spec(made) else made


def create(folder: Path, chosen: Sequence[str], first_day: date, limits: Mapping[str, str] | None = None) -> list[Path]:
    """Write a project into a folder; returns the files, relative to it.

    chosen: the vendors.
    first_day: the start_date in their YAML.
    limits: vendor -> the limits in its YAML.
    """
    name = re.sub(r"[^a-z0-9_-]", "-", folder.name.lower()).strip("-_") or "project"
    package = package_name(name)
    contents = {
        path.format(package=package): _filled(template, name=name, package=package, version=version("orgdata"))
        for path, template in _FILES.items()
    }
    contents |= {f"{package}/__init__.py": "", f"{package}/defs/__init__.py": ""}
    contents |= {f"{package}/defs/{vendor}/defs.yaml": _defs_yaml(vendor, first_day, limits or {}) for vendor in chosen}
    contents[".env.example"] = (_TEMPLATES / "env.example.txt").read_text() + "".join(map(_variables, chosen))
    with usual_modes():
        for path, text in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return [Path(path) for path in sorted(contents)]


def _defs_yaml(vendor: str, first_day: date, limits: Mapping[str, str]) -> str:
    """The shipped YAML of a vendor with this start_date."""
    text = _START.sub(f'  start_date: "{first_day}"', _shipped(vendor))
    return _LIMITS.sub(f"  limits: {limits[vendor]}", text) if vendor in limits else text


def _filled(template: str, **values: str) -> str:
    text = (_TEMPLATES / f"{template}.txt").read_text()
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _variables(vendor: str) -> str:
    """The lines of .env.example for a vendor; variables with a default are comments."""
    resource = _component(vendor).resource()
    optional = resource.defaults_of(vars(resource))
    lines = [
        f"# {variable}={optional[field]}" if field in optional else f"{variable}="
        for field, variable in resource.environment.items()
    ]
    return "\n" + "\n".join(lines) + "\n"


def _component(vendor: str) -> VendorComponent:
    kind: Any = yaml_files.component(orgdata_dagster.component_types()[vendor])
    made: VendorComponent = kind.model_validate(yaml.safe_load(_shipped(vendor))["attributes"])
    return made


def _shipped(vendor: str) -> str:
    return (_SHIPPED / vendor / "defs.yaml").read_text()
