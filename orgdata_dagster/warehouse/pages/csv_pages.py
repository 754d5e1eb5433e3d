"""Turning a CSV body on disk into a page that DuckDB reads without guessing.

Here: what must be known about a CSV file before the database reads it: its header and its number of records. Records
are counted independently of the parser, because a parser that misreads line ends may silently return fewer rows.
Add here: another fact about a CSV file. Keep out: rewriting what parsers read differently (csv_rewriting.py), types,
and SQL other than `relation`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.names import literal
from orgdata_dagster.warehouse.pages import csv_instants
from orgdata_dagster.warehouse.pages.column_names import Assigned, ColumnNames, VendorName, first_assigned, of_header
from orgdata_dagster.warehouse.pages.csv_rewriting import BOM, rewrite
from orgdata_dagster.warehouse.pages.iso_instants import Numbers
from orgdata_dagster.warehouse.pages.page import Reading
from orgdata_dagster.warehouse.pages.record_size import LARGEST_RECORD, too_large_in_csv

_CHUNK = 1 << 20
_BUFFER = 8 << 20
_QUOTE, _LF, _CR, _COMMA = 34, 10, 13, 44
# Values of `_Scan.last` that are no bytes: the chunk ended with a quote that closed a field, or inside quotes.
_CLOSED, _INSIDE = 256, 257
# Bytes that may stand before an opening quote and after a closing one.
_REGULAR = np.isin(np.arange(256), (_COMMA, _LF, _QUOTE))


@dataclass(frozen=True)
class CsvPage:
    """A CSV file that the database can read.

    records: number of records, without the header and blank lines.
    longest: upper bound of the length of a line, in bytes.
    instants: the instants of the records, in microseconds since 1970; None if a parser has to read them.
    """

    path: Path
    names: tuple[VendorName, ...]
    columns: tuple[str, ...]
    records: int
    longest: int = _CHUNK
    instants: Numbers | None = field(default=None, compare=False, repr=False)

    def assigned_to(self, assigned: Assigned) -> CsvPage:
        """Return the same page with these columns for its names."""
        return replace(self, columns=assigned.columns)

    @property
    def layout(self) -> tuple[str, ...]:
        """The columns: pages with the same header are read in one query."""
        return self.columns

    @staticmethod
    def reading(pages: Sequence[CsvPage]) -> Reading:
        """How to read pages with the same header in one query."""
        longest = max(page.longest for page in pages)
        return Reading(pages[0].columns, relation([page.path for page in pages], pages[0].columns, longest), {})


@dataclass
class _Scan:
    """What a scan of the bytes has found so far.

    quoted: whether the scan is inside quotes.
    irregular: whether a quote stands elsewhere than around a whole field, or a line ends with CR. The other figures are
        then unreliable.
    last: the last byte, or _CLOSED or _INSIDE.
    """

    line_ends: int = 0
    blank_lines: int = 0
    quoted: bool = False
    irregular: bool = False
    last: int = _LF
    line: int = 0  # bytes of the line that the previous chunk left open
    longest: int = _CHUNK  # lines within one chunk are not measured

    def measure(self, length: int, first: int, last: int) -> None:
        """Add a chunk of `length` bytes whose first and last line ends are at these offsets (-1: it has none)."""
        if first < 0:
            self.line += length
        else:
            self.longest = max(self.longest, self.line + first + 1)
            self.line = length - last - 1
        self.longest = max(self.longest, self.line)


def prepare(path: Path, cursor: str | None = None, *, chunk_size: int = _CHUNK) -> CsvPage:
    """Read the header and count the records. An irregular file is rewritten in place; an empty file has no columns.

    cursor: the column whose values are instants.
    chunk_size: bytes that are read at once.

    Raises UnreadablePage if the file ends inside a quoted field (it was cut short), is not UTF-8, or has no header;
    RecordTooLarge for a line beyond the limit.
    """
    if os.path.getsize(path) == 0:
        return CsvPage(path, (), (), 0)
    page = (_plain(path, cursor) if cursor is not None else None) or _scanned(path, chunk_size)
    if page.longest > LARGEST_RECORD:
        raise too_large_in_csv(path, page.columns)
    return page


def _plain(path: Path, cursor: str) -> CsvPage | None:
    """The page of a file that one pass over its bytes tells all about; None for any other file."""
    try:
        names = of_header(_header(path))
    except UnreadablePage:
        return None
    columns = first_assigned(names).columns
    found = ColumnNames(dict(zip(names, columns, strict=True))).find(cursor, columns)
    if found is None or len(columns) < 2:
        return None
    plain = csv_instants.plain(path, len(columns), columns.index(found))
    if plain is None:
        return None
    return CsvPage(path, names, columns, plain.instants.size, max(_CHUNK, plain.longest), plain.instants)


def _scanned(path: Path, chunk_size: int) -> CsvPage:
    scan = _scan(path, chunk_size)
    if scan.irregular or scan.quoted or _starts_with_bom(path):
        rewrite(path)
        scan = _scan(path, chunk_size)
    header = _header(path)
    if not header:
        if scan.line_ends > scan.blank_lines or scan.last != _LF:
            raise UnreadablePage(f"{path.name} begins with a blank line instead of a header")
        return CsvPage(path, (), (), 0)
    # In a file with one column, a blank line is a record without a value; with several columns it is ignored.
    lines = scan.line_ends - (scan.blank_lines if len(header) > 1 else 0)
    names = of_header(header)
    return CsvPage(path, names, first_assigned(names).columns, lines + (scan.last != _LF) - 1, scan.longest)


def relation(paths: Sequence[Path], columns: Sequence[str], longest: int = _CHUNK) -> str:
    """SQL of the rows of prepared files with the same header: all columns as text, and `_orgdata_file`.

    A quoted empty field is "", an unquoted one NULL. Nothing else becomes NULL.

    longest: bytes of the longest line. It sets the size of the parser's buffers, of which every thread has several.
    """
    files = ", ".join(literal(str(path)) for path in paths)
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv([{files}], columns = {{{types}}}, header = true, auto_detect = false, delim = ',', quote = '\"', "
        "escape = '\"', new_line = '\\n', allow_quoted_nulls = false, strict_mode = true, "
        f"max_line_size = {longest + 1}, buffer_size = {max(_BUFFER, 2 * longest)}, filename = '_orgdata_file')"
    )


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except UnicodeDecodeError as error:
        raise UnreadablePage(f"{path.name} is not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise UnreadablePage(f"{path.name} has no header: {error}") from None


def _scan(path: Path, chunk_size: int) -> _Scan:
    scan = _Scan()
    with path.open("rb") as file:
        while chunk := file.read(chunk_size):
            if b'"' not in chunk and not scan.quoted and b"\r" not in chunk:
                # the common case: without quotes, CR and blank lines counting is ten times as fast
                scan.irregular |= scan.last == _CLOSED and not _REGULAR[chunk[0]]
                line_end = np.frombuffer(chunk, dtype=np.uint8) == _LF
                scan.blank_lines += int(np.count_nonzero(line_end[1:] & line_end[:-1]))
                scan.blank_lines += chunk.startswith(b"\n") and scan.last == _LF
                scan.line_ends += int(np.count_nonzero(line_end))
                scan.last = chunk[-1]
                scan.measure(len(chunk), chunk.find(b"\n"), chunk.rfind(b"\n"))
            else:
                _scan_quotes(scan, np.frombuffer(chunk, dtype=np.uint8))
            if scan.irregular:
                break
    return scan


def _scan_quotes(scan: _Scan, codes: np.ndarray) -> None:
    """Add a chunk with quotes.

    Assumes that quotes open and close fields in turn (`""` does both), then checks that assumption.
    """
    outside = _outside_quotes(codes, scan.quoted)
    line_end = (codes == _LF) & outside
    ends = np.flatnonzero(line_end)
    scan.line_ends += ends.size
    scan.measure(codes.size, *((int(ends[0]), int(ends[-1])) if ends.size else (-1, -1)))
    # a line end right after another one is a blank line, also across two chunks
    scan.blank_lines += int(np.count_nonzero(line_end[1:] & line_end[:-1]))
    scan.blank_lines += bool(line_end[0] and scan.last == _LF)
    quotes = np.flatnonzero(codes == _QUOTE)
    opening, closing = quotes[~outside[quotes]], quotes[outside[quotes]]
    before = codes[opening - 1]
    if opening.size and opening[0] == 0:
        before[0] = _QUOTE if scan.last == _CLOSED else scan.last
    behind = codes[closing[closing < codes.size - 1] + 1]  # a quote in the last byte is checked with the next chunk
    scan.irregular |= bool(
        np.any((codes == _CR) & outside)
        or not (_REGULAR[before].all() and _REGULAR[behind].all())
        or (scan.last == _CLOSED and not _REGULAR[codes[0]])
    )
    scan.quoted ^= bool(quotes.size & 1)
    closed = bool(codes[-1] == _QUOTE and outside[-1])
    scan.last = _CLOSED if closed else int(codes[-1]) if outside[-1] else _INSIDE


def _outside_quotes(codes: np.ndarray, quoted: bool) -> np.ndarray:
    """Whether each byte is outside quotes. `quoted`: whether the chunk begins inside quotes. `""` toggles twice."""
    quotes = codes == _QUOTE
    if not quotes.any():
        return np.full(codes.shape, not quoted)
    parity = np.logical_xor.accumulate(quotes)
    return parity if quoted else ~parity


def _starts_with_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == BOM
