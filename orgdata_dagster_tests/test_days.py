"""A session of tests may pass midnight: no module computes a day when it is imported."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def at_import(module: ast.Module) -> set[str]:
    """The functions that a module calls when it is imported; bodies of functions are left out."""
    waiting: list[ast.AST] = list(module.body)
    called: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            called.add(getattr(node.func, "id", "") or getattr(node.func, "attr", ""))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [node.args, *node.decorator_list]  # defaults and decorators are evaluated at import
        elif isinstance(node, ast.Lambda):
            waiting.append(node.args)
        else:
            waiting += ast.iter_child_nodes(node)
    return called


def test_no_module_computes_a_day_when_it_is_imported() -> None:
    found = [path.name for path in TESTS.rglob("*.py") if "today" in at_import(ast.parse(path.read_text()))]
    assert found == []


def test_it_would_be_detected() -> None:
    early = ["A = today(back=1)", "def f(a=today()): ...", "@mark(today())\ndef f(): ...", "class A:\n  b = today()"]
    assert [text for text in early if "today" not in at_import(ast.parse(text))] == []
    assert "today" not in at_import(ast.parse("def f(): return today()\na = lambda: today()"))
