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
def source() -> dict[str, ast.Module]:
    """Module (its path in the package) -> its syntax. The sandbox is left out."""
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if "sandbox" not in path.parts]
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in files}


@cache
def source_texts() -> dict[str, list[str]]:
    """Module -> its texts, with single spaces. Docstrings are left out."""
    return {module: list(_texts(tree)) for module, tree in source().items()}


def modules_with(message: str) -> list[str]:
    """The modules whose texts have every part of the message; its parts are separated by `…`.

    A part may be in one text, or be the end of one and the beginning of another one, which the code joins.
    """
    parts = [" ".join(part.split()) for part in message.split(FILLED_IN)]
    wanted = [part for part in parts if any(map(str.isalnum, part))]
    whole = [module for module, pieces in _pieces().items() if wanted and all(part in pieces for part in wanted)]
    # joined texts only if there is no other: to look for them takes a hundred times as long
    return whole or [
        module for module, pieces in _pieces().items() if wanted and all(_has(pieces, part) for part in wanted)
    ]


@cache
def _pieces() -> dict[str, str]:
    """Module -> what its texts say between what is filled in, each piece between two zeros."""
    return {
        module: "\0".join(["", *(piece.strip() for text in texts for piece in text.split(FILLED_IN)), ""])
        for module, texts in source_texts().items()
    }


def _has(pieces: str, part: str) -> bool:
    return part in pieces or any(
        f"\0{part[at:].strip()}" in pieces and f"{part[:at].strip()}\0" in pieces for at in range(1, len(part))
    )


def _texts(module: ast.Module) -> Iterator[str]:
    inner = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in node.values}
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if id(node) not in inner | docstrings and (text := text_of(node)):
            yield " ".join(_PLACEHOLDER.sub(FILLED_IN, text).split())


def text_of(node: ast.AST) -> str | None:
    """The text of a literal, with `…` for what it fills in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or FILLED_IN for part in node.values)
    return None
