"""A vendor's README on the pages of its assets.

Here: the asset's metadata. Keep out: the documents (README.md beside a vendor's component.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg


@cache
def document(folder: Path) -> dict[str, dg.MetadataValue]:
    """The metadata with the text of the README in a vendor's folder, if there is one.

    It is the text, because a path on the server would not work in a browser.
    """
    readme = folder / "README.md"
    return {"document": dg.MetadataValue.md(readme.read_text(encoding="utf-8"))} if readme.exists() else {}
