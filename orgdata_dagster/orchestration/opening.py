"""The configured warehouse, for code that does not need Dagster.

Here: `warehouse`. Keep out: the Dagster resource (resources.py), kinds of warehouses (warehouse/storage/uri.py).
"""

from __future__ import annotations

from orgdata_dagster import settings
from orgdata_dagster.http import redaction
from orgdata_dagster.warehouse.storage import object_store
from orgdata_dagster.warehouse.storage.connection import Warehouse


def warehouse(uri: str = "", *, patience: float = 60, queue_patience: float | None = None) -> Warehouse:
    """The warehouse of `uri`, or of ORGDATA_WAREHOUSE.

    Its passwords, and those of object stores, are redacted in this process from now on.

    patience, queue_patience: see Warehouse.

    Raises WarehouseUnavailable if the URI is malformed.
    """
    opened = Warehouse(
        uri or settings.warehouse_uri(), scratch=settings.staging(), base=settings.project_root, patience=patience
    )
    opened.queue_patience = queue_patience
    redaction.register(*opened.storage.secrets, *object_store.secrets())
    return opened
