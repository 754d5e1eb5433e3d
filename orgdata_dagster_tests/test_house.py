"""The table of rooms in CONTRIBUTING matches the code: every folder has a row, and imports only what its row allows."""

from __future__ import annotations

import ast
import re

import pytest

from orgdata_dagster_tests.test_architecture import OURS, PACKAGE, begins, imports

TABLE = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
ROWS = {name.rstrip("/"): rule for name, rule in re.findall(r"^\| `([^`]+)` \| .+ \| ([^|]+) \|$", TABLE, re.MULTILINE)}
OF_A_VENDOR = "vendors/<vendor>"
_FREE = {"all of the above", "everything", "see below"}


def row_of(folder: str) -> str:
    """The name of the row that describes a folder of the package."""
    parts = folder.split("/")
    if parts[0] == "vendors" and len(parts) > 1 and parts[1] != "base":
        return OF_A_VENDOR
    return parts[0] if parts[0] in ("sandbox", "defs") else folder


def allowed(room: str) -> set[str]:
    """The rooms that a room may import, according to its row; "like `x`" means x and everything that x may import."""
    named: set[str] = set(re.findall(r"`([^`]+)`", ROWS[room]))
    for other in re.findall(r"like `([^`]+)`", ROWS[room]):
        named |= allowed(other)
    return named


FOLDERS = sorted(
    str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*/") if path.is_dir() and path.name != "__pycache__"
)


def test_every_folder_has_a_row_and_every_row_is_there() -> None:
    assert {row_of(folder) for folder in FOLDERS} | {"settings.py", "file_modes.py", "counting.py"} == set(ROWS)


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if ROWS.get(row_of(folder)) not in _FREE])
def test_a_room_imports_what_its_row_allows(folder: str) -> None:
    parts = folder.split("/")
    own = ".".join(parts[:2] if parts[0] == "vendors" else parts[:1])
    rooms = [own, *(name.replace("/", ".") for name in allowed(row_of(folder)))]
    found = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in (PACKAGE / folder).glob("*.py")
        for name in imports(path)
        if begins(name, [OURS])
        and not begins(name, [f"{OURS}.{room}" for room in rooms])
        and name != f"{OURS}.vendors"  # the package itself, to list what is in it
    }
    assert found == set()


# modules that most vendors have: docstrings elsewhere speak of "a vendor's client.py"
_OF_A_VENDOR = {"client", "component", "pulling", "reconciling", "resource", "walk"}


def test_modules_that_docstrings_name_exist() -> None:
    """A docstring that refers to a renamed module is worse than none. A name without a folder is in the same folder,
    or at the top of the package.
    """
    there = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.parent.glob("orgdata_dagster*/**/*.py")}
    texts = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in PACKAGE.rglob("*.py")}
    found = {
        f"{path.relative_to(PACKAGE)} names {name}"
        for path, text in texts.items()
        for name in re.findall(r"(?<![\w./<])([a-z_][\w/]*\.py)\b", text)
        if not ("/" in name and any(module.endswith(f"/{name}") for module in there))
        and not ((path.parent / name).exists() or (PACKAGE / name).exists())
        and name.removesuffix(".py") not in _OF_A_VENDOR
    }
    assert found == set()


COST = re.findall(r"^\| (vendor code|YAML and README|sandbox|tests)\b.* \| (\d+), ([\d,]+) \|$", TABLE, re.MULTILINE)


@pytest.mark.parametrize(
    ("part", "patterns"),
    [
        ("vendor code", ["orgdata_dagster/vendors/together/*.py"]),
        ("YAML and README", ["orgdata_dagster/defs/together/*.yaml", "orgdata_dagster/vendors/together/*.md"]),
        ("sandbox", ["orgdata_dagster/sandbox/together/*.py"]),
        ("tests", ["orgdata_dagster_tests/vendors/together/*.py"]),
    ],
)
def test_what_a_vendor_costs_is_still_true(part: str, patterns: list[str]) -> None:
    files = [path for pattern in patterns for path in PACKAGE.parent.glob(pattern)]
    [(count, lines)] = [(int(count), int(lines.replace(",", ""))) for name, count, lines in COST if name == part]
    assert count == len(files)
    assert lines == pytest.approx(sum(len(path.read_text().splitlines()) for path in files), rel=0.05)
