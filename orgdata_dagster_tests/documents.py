"""The blocks of a document, and the comparison of the output in it with what a command prints.

Here: reading `docs/*.md`, and comparing output. Add here when: another kind of block is compared with the code.
Keep out: which commands are run (the tests of the pages).
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_FIGURE = re.compile(r"\d[\d,.:-]*|/\S*/(?=\.orgdata)")
_AGE = re.compile(r"\b0 (s|min|h)( 0 (s|min|h))*\b")
_PACE = re.compile(r" \(0 (rows/s|for the rate limit)\)")  # shown only after a while
_SPACE = re.compile(r"\s+")


def blocks(page: str, kind: str) -> list[str]:
    """The texts of a document's blocks of one kind (`yaml`, `console`), in their order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def sessions(page: str) -> list[tuple[str, list[str]]]:
    """Each `$ command` of a document's console blocks, with the lines that the document shows of its output."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            elif line.strip() != "...":
                found[-1][1].append(line)
    return found


def not_printed(shown: list[str], output: str) -> list[str]:
    """The lines that a document shows and a command did not print. Figures and the project's folder may differ."""
    printed = {_shape(line) for line in output.splitlines()}
    return [line for line in shown if _shape(line) not in printed]


def _shape(line: str) -> str:
    return _SPACE.sub(" ", _PACE.sub("", _AGE.sub("0 s", _FIGURE.sub("0", line)))).strip()
