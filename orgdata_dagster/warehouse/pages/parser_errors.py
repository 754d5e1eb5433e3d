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
    """The first lines of a parser's error, without its hints and without the folder of the page."""
    return excerpt(_STAGED.sub(r"\1", " ".join(str(error).split("\n")[:2])), 300)
