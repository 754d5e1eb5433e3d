"""The rules of imports, which keep HTTP, DuckDB and Dagster apart."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "orgdata_dagster"
OURS = "orgdata_dagster"

# where -> what may not be imported there (prefixes of module names), and what may all the same
RULES: list[tuple[list[str], list[str], list[str]]] = [
    (["state/**/*.py"], [OURS, "dagster", "duckdb", "httpx"], [f"{OURS}.state"]),
    (["http/**/*.py"], [OURS, "dagster", "duckdb"], [f"{OURS}.http", f"{OURS}.state"]),
    (["warehouse/**/*.py"], [OURS, "dagster", "httpx"], [f"{OURS}.warehouse", f"{OURS}.state"]),
    (["dagster_internals/**/*.py"], [OURS], [f"{OURS}.dagster_internals"]),
    (["sandbox/**/*.py"], [OURS, "dagster", "duckdb"], [f"{OURS}.sandbox"]),
    (["vendors/**/*.py"], [f"{OURS}.cli", f"{OURS}.sandbox"], []),
    (["orchestration/**/*.py"], [f"{OURS}.vendors", f"{OURS}.writeback", f"{OURS}.cli", f"{OURS}.sandbox"], []),
    (["writeback/**/*.py"], [f"{OURS}.cli", f"{OURS}.sandbox", f"{OURS}.project"], []),
    (["http/**/*.py", "warehouse/**/*.py", "vendors/**/*.py", "orchestration/**/*.py"], [f"{OURS}.project"], []),
]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, at its top or later."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules(folder: Path) -> dict[str, set[str]]:
    """Module -> the modules of the same package that it imports, including imports for type checking."""
    files = {
        ".".join([OURS, *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in folder.rglob("*.py")
    }

    def module(name: str) -> str:
        return name if name in files else name.rpartition(".")[0]

    return {name: {module(found) for found in imports(path)} & files.keys() - {name} for name, path in files.items()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Modules without remaining imports are removed again and again, until only circles would remain."""
    graph = modules(PACKAGE)
    assert len(graph) > 100
    while free := {name for name, found in graph.items() if not found & graph.keys()}:
        graph = {name: found for name, found in graph.items() if name not in free}
    assert sorted(graph) == [], "these modules import each other, or what does"


def begins(name: str, prefixes: list[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize(("where", "forbidden", "allowed"), RULES)
def test_no_module_imports_what_it_may_not(where: list[str], forbidden: list[str], allowed: list[str]) -> None:
    files = [path for pattern in where for path in PACKAGE.glob(pattern)]
    assert files
    found = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in files
        for name in imports(path)
        if begins(name, forbidden) and not begins(name, allowed)
    }
    assert found == set()


PRIVATE = ["dagster._", "dagster.components.core", "dagster_shared", "dagster_graphql"]


def test_dagsters_private_modules_are_named_in_one_room() -> None:
    """By import or by name, so that an upgrade of Dagster that moves them affects only that room."""
    found = {
        f"{path.relative_to(PACKAGE)} names {private}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "dagster_internals"
        for private in PRIVATE
        if re.search(rf"(?<!\w){re.escape(private)}", path.read_text())
    }
    assert found == set()


def test_tests_import_dagsters_private_modules_in_one_room_too() -> None:
    tests = Path(__file__).parent
    found = {
        f"{path.relative_to(tests)} imports {name}"
        for path in tests.rglob("*.py")
        if path.relative_to(tests).parts[0] != "dagster_internals"
        for name in imports(path)
        if any(name.startswith(private) for private in PRIVATE)
    }
    assert found == set()


def test_every_private_import_has_a_reason_and_a_fallback() -> None:
    for path in sorted(PACKAGE.glob("dagster_internals/*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if path.name not in ("__init__.py", "event_log.py"):  # the latter is chosen by event_log_class.py
            assert "Why:" in text, path.name
            assert "Fallback:" in text, path.name


def test_a_vendor_keeps_to_itself() -> None:
    """Two folders are for all vendors: the base, and lists of REST APIs."""
    found = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for folder in PACKAGE.glob("vendors/*/")
        for path in folder.rglob("*.py")
        for name in imports(path)
        if name.startswith(f"{OURS}.vendors.")
        and not begins(name, [f"{OURS}.vendors.{shared}" for shared in (folder.name, "base", "rest")])
    }
    assert found == set()


def test_writing_back_knows_no_vendor() -> None:
    """Neither by import nor by name: the differences between vendors are behind `Destination`."""
    files = list(PACKAGE.glob("writeback/**/*.py"))
    assert files
    assert [path.name for path in files if "octolis" in path.read_text().lower()] == []


CLIENTS = [path for name in ("client", "writing") for path in sorted(PACKAGE.glob(f"vendors/*/{name}.py"))]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_client_and_its_base_import_only_http(client: Path) -> None:
    own = f"{OURS}.vendors.{client.parent.name}"
    pure, waiting = set[Path](), {client}
    while waiting:
        pure |= waiting
        names = {name for path in waiting for name in imports(path) if begins(name, [own])}
        modules = {name.removeprefix(own + ".").split(".")[0] for name in names}
        waiting = {client.with_name(f"{module}.py") for module in modules} - pure
    found = {
        f"{path.name} imports {name}"
        for path in pure
        for name in imports(path)
        if begins(name, [OURS, "dagster", "duckdb"]) and not begins(name, [own, f"{OURS}.http"])
    }
    assert found == set()
