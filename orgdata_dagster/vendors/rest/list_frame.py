"""The rows of a list as a DataFrame, for users' own assets, scripts and notebooks. Nothing is stored.

Here: `list_frame`, for every vendor with lists. Keep out: which rows are read (a vendor's resource.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orgdata_dagster.orchestration.assets.readers import csv_reader, json_reader
from orgdata_dagster.vendors.base.data_frame import frame, scratch
from orgdata_dagster.vendors.rest.client import RestClient
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster.warehouse.pages import json_pages

if TYPE_CHECKING:
    import pandas as pd


def list_frame(client: RestClient, listing: Listing) -> pd.DataFrame:
    """The rows of a list, every column as text, nested values as JSON. The client is closed afterwards."""
    is_csv = listing.format in ("csv", "csv_in_json")
    with scratch() as (connection, folder), client:
        of_json = json_reader(connection, records=listing.records or json_pages.ARRAY)
        read = csv_reader(connection, None) if is_csv else of_json
        rows = frame(connection, client.pages(listing, folder=folder, read=read).pages)
    # a row that moved while it was paged may be there twice
    return rows.drop_duplicates(subset=list(listing.key) or None, keep="last", ignore_index=True) if len(rows) else rows
