"""MkDocs hooks: pages of the site that are kept elsewhere in the repository, and what is filled in to pages.

Here: which file becomes which page, and how its links change; the help and the output of commands (`filled`). Keep out:
pages written for the site (docs/*.md), and recording outputs (outputs.py).

A vendor's README stays beside its code, and CONTRIBUTING.md where developers look for it; the site shows the same text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File, Files

from orgdata_dagster.cli import orgdata

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = "deploy"
# what a reader of the repository sees in place of help and output
_HELP = re.compile(r"^`orgdata (.+) --help` lists its options\.$", re.MULTILINE)
_OUTPUT = re.compile(r"^\[What it prints\]\((output/.+)\)$", re.MULTILINE)
_WIDTH = 80


def pages() -> dict[str, str]:
    """Page of the site -> the file of the repository with its text."""
    found = {
        "speed.md": "benchmarks/RESULTS.md",
        "architecture.md": "CONTRIBUTING.md",
        "changes.md": "CHANGELOG.md",
        f"{DEPLOY}/index.md": f"{DEPLOY}/README.md",
    }
    for readme in sorted(ROOT.glob("orgdata_dagster/vendors/*/README.md")):
        found[f"vendors/{readme.parent.name}.md"] = str(readme.relative_to(ROOT))
    for readme in sorted(ROOT.glob(f"{DEPLOY}/*/README.md")):
        found[f"{DEPLOY}/{readme.parent.name}.md"] = str(readme.relative_to(ROOT))
    return found


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are kept elsewhere."""
    for page, source in pages().items():
        files.append(File.generated(config, page, content=_text(source)))
    files.append(File.generated(config, "decisions.md", content=_decisions()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the help and the output of commands."""
    return filled(markdown)


def filled(markdown: str) -> str:
    """The text with help and output of commands in place of the lines that lead to them."""
    markdown = _HELP.sub(lambda found: _block(_help(found[1])), markdown)
    return _OUTPUT.sub(lambda found: _block((ROOT / "docs" / found[1]).read_text(encoding="utf-8")), markdown)


def _block(text: str) -> str:
    return f"```console\n{text.rstrip()}\n```"


def _help(name: str) -> str:
    """What `orgdata NAME --help` prints."""
    command: click.Command = orgdata
    for part in name.split():
        assert isinstance(command, click.Group)
        command = command.commands[part]
    context = click.Context(command, info_name=f"orgdata {name}", terminal_width=_WIDTH, max_content_width=_WIDTH)
    return f"$ orgdata {name} --help\n{command.get_help(context)}"


def _text(source: str) -> str:
    text = (ROOT / source).read_text(encoding="utf-8")
    if source.startswith(f"{DEPLOY}/"):
        # ../image/README.md and image/README.md are pages beside each other here
        text = re.sub(r"\]\((?:\.\./)?(\w+)/README\.md\)", r"](\1.md)", text)
        text = text.replace("](../README.md", "](index.md")
    return text


def _decisions() -> str:
    """The list of decisions, by number."""
    lines = ["# Decisions", "", "Each page says what was decided, why, and what was considered instead.", ""]
    for file in sorted((ROOT / "docs" / "adr").glob("*.md")):
        title = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}](adr/{file.name})")
    return "\n".join(lines) + "\n"
