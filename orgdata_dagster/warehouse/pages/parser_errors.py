"""Errors of DuckDB's parsers about a page, as errors that say what is wrong with the page.

Here: `parsing` and `parser_message`. Keep out: malformed pages that our own code finds (csv_pages.py, json_bytes.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.excerpts import excerpt

_MALFORMED = (duckdb.InvalidInputException, duckdb.ConversionException)
_STAGED = re.compile(r'"/[^"]*/([^"/]+)"')  # a page's path in the staging folder, which is deleted after the run


@contextmanager
def parsing(page: str) -> Iterator[None]:
    """Raise the parser's error about a page as UnreadablePage. `page`: its name for the message."""
    try:
        yield
    except _MALFORMED as error:
        raise UnreadablePage(f"{page} is not well-formed: {parser_message(error)}") from None


def parser_message(error: Exception) -> str:
    """A parser's error in one line: what and where, without DuckDB's hints and without the folder of the page."""
    told, _, _ = str(error).partition("\nPossible fixes")
    lines = [line.strip() for line in told.removeprefix("Invalid Input Error: ").splitlines() if line.strip()]
    lines.sort(key=lambda line: line.startswith("Original Line"))  # the row may be long, so it comes last
    return excerpt(_STAGED.sub(r"\1", "; ".join(lines)), 300)
