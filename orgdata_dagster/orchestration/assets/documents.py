"""Where a vendor's document is read: what its API does, and what orgdata makes of it.

Here: how an asset names it. Keep out: the documents (vendors/<vendor>/README.md).
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

_VENDORS = Path(__file__).parents[1] / "vendors"


def document(vendor: str) -> dict[str, dg.MetadataValue]:
    """The document of a vendor, for its assets' metadata."""
    return {"document": dg.MetadataValue.path(_VENDORS / vendor / "README.md")}
