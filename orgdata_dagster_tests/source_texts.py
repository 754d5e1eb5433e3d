"""The texts of the package's source: every literal, with `…` for what an f-string fills in.

Here: what tests of the documents compare messages with. Keep out: what a document has to contain.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import orgdata_dagster

FILLED_IN = "…"
PACKAGE = Path(orgdata_dagster.__file__).parent
_PLACEHOLDER = re.compile(r"\{\w*\}")  # of a template, such as "busy for {seconds} s"


@cache
def source_texts() -> dict[str, list[str]]:
    """Module (its path in the package) -> its texts, with single spaces. Docstrings and the sandbox are left out."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if "sandbox" not in path.parts]
    return {path.relative_to(PACKAGE).as_posix(): list(_texts(ast.parse(path.read_text()))) for path in files}


def modules_with(message: str) -> list[str]:
    """The modules whose texts have every part of the message; its parts are separated by `…`.

    A part may be in one text, or be the end of one and the beginning of another one, which the code joins.
    """
    parts = [" ".join(part.split()) for part in message.split(FILLED_IN)]
    wanted = [part for part in parts if any(map(str.isalnum, part))]
    return [module for module, texts in source_texts().items() if wanted and all(_has(texts, part) for part in wanted)]


def _has(texts: list[str], part: str) -> bool:
    if any(part in text for text in texts):
        return True
    pieces = [piece.strip() for text in texts for piece in text.split(FILLED_IN) if piece.strip()]
    begun = {len(part) - len(rest) for piece in pieces if (rest := _after(piece, part)) is not None}
    return any(piece.startswith(part[at:].strip()) for at in begun for piece in pieces)


def _after(piece: str, part: str) -> str | None:
    """What follows in the part behind the longest end of the piece with which it begins; None if there is none."""
    most = next((size for size in range(min(len(piece), len(part) - 1), 0, -1) if part.startswith(piece[-size:])), 0)
    return part[most:] if most else None


def _texts(module: ast.Module) -> Iterator[str]:
    inner = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if id(node) not in inner | docstrings and (text := _text(node)):
            yield " ".join(_PLACEHOLDER.sub(FILLED_IN, text).split())


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or FILLED_IN for part in node.values)
    return None
