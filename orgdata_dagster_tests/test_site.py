"""The documentation site builds without a warning and without a network, and has every page that is kept elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REMOTE = re.compile(r"""<(?:script|link|img)[^>]+(?:src|href)=["'](https?:)?//""")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "search/search_index.js").exists(), "the search does not work from a folder"
    pages = {str(page.relative_to(tmp_path)): page.read_text() for page in tmp_path.rglob("*.html")}
    vendors = {path.parent.name for path in ROOT.glob("orgdata_dagster/vendors/*/README.md")}
    assert {f"vendors/{vendor}.html" for vendor in vendors} <= set(pages)
    assert {f"deploy/{path.parent.name}.html" for path in ROOT.glob("deploy/*/README.md")} <= set(pages)
    assert [name for name, text in pages.items() if REMOTE.search(text.replace('<link rel="canonical"', ""))] == []
