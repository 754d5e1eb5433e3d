"""The link from an asset to its vendor's README.

Here: the asset's metadata. Keep out: the documents (vendors/<vendor>/README.md).
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

_VENDORS = Path(__file__).parents[1] / "vendors"


def document(vendor: str) -> dict[str, dg.MetadataValue]:
    """The metadata with the path of a vendor's README."""
    return {"document": dg.MetadataValue.path(_VENDORS / vendor / "README.md")}
