"""A vendor's README on the pages of its assets.

Here: the asset's metadata. Keep out: the documents (vendors/<vendor>/README.md).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg

_VENDORS = Path(__file__).parents[2] / "vendors"


@cache
def document(vendor: str) -> dict[str, dg.MetadataValue]:
    """The metadata with the text of a vendor's README, because a path on the server would not work in a browser."""
    return {"document": dg.MetadataValue.md((_VENDORS / vendor / "README.md").read_text(encoding="utf-8"))}
