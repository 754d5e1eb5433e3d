"""Small JSON pages that are read together from one file.

Here: `written`, which writes such pages into a file, and `source`, SQL of their records. Add here when: small pages of
JSON need another way to be read. Keep out: other pages, and their columns (json_pages.py).

A file per small answer costs more than everything else that is done with it: creating and deleting it, and opening it
for each query. A line of this file has the records of one page, and its name.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from orgdata_dagster.warehouse.names import literal, quoted
from orgdata_dagster.warehouse.pages.page import FILE

SMALL = 16 << 10  # bytes of a page that is kept in memory until it is read
_LONGEST = 1 << 20  # bytes: limit for a line, more than a small page whose numbers were put into quotes
_numbers = itertools.count()


def written(pages: Iterable[tuple[Path, bytes]]) -> Path:
    """Write pages to a new file beside the first one; returns its path. pages: path, and array of records."""
    pages = list(pages)
    path = pages[0][0].with_name(f"bundle-{next(_numbers)}.ndjson")
    with path.open("wb") as file:
        for name, records in pages:
            file.write(b'{"page": %s, "records": %s}\n' % (json.dumps(str(name)).encode(), records.translate(_BLANKS)))
    return path


# Line ends between values; within a text they are escaped.
_BLANKS = bytes.maketrans(b"\r\n", b"  ")


def source(bundle: Path, names: Sequence[str]) -> str:
    """SQL of the records: each of these members as text, and the page's path."""
    members = ", ".join(f"{quoted(name)} VARCHAR" for name in names)
    columns = f"{{'page': 'VARCHAR', 'records': {literal(f'STRUCT({members})[]')}}}"
    options = f"format = 'newline_delimited', maximum_object_size = {_LONGEST}"
    lines = f"read_json([{literal(str(bundle))}], columns = {columns}, {options})"
    return f"(SELECT unnest(record), {FILE} FROM (SELECT unnest(records) AS record, page AS {FILE} FROM {lines}))"
