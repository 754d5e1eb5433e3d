"""MkDocs hooks: pages of the site that are kept elsewhere in the repository.

Here: which file becomes which page, and how its links change. Keep out: pages written for the site (docs/*.md).

A vendor's README stays beside its code, and CONTRIBUTING.md where developers look for it; the site shows the same text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = "deploy"


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


def _text(source: str) -> str:
    text = (ROOT / source).read_text(encoding="utf-8")
    if source.startswith(f"{DEPLOY}/"):
        # ../image/README.md and image/README.md are pages beside each other here
        text = re.sub(r"\]\((?:\.\./)?(\w+)/README\.md\)", r"](\1.md)", text)
        text = text.replace("](../README.md)", "](index.md)")
    return text


def _decisions() -> str:
    """The list of decisions, by number."""
    lines = ["# Decisions", "", "Each page says what was decided, why, and what was considered instead.", ""]
    for file in sorted((ROOT / "docs" / "adr").glob("*.md")):
        title = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}](adr/{file.name})")
    return "\n".join(lines) + "\n"
