"""Records as answers to reads: an object with a list, or a CSV file with one line per record.

Here: both formats, with all or only the selected columns.
Add here when: the document has another format.
Keep out: choosing the records (`query`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orgdata_dagster.sandbox import csv_text
from orgdata_dagster.sandbox.octolis.columns import SYSTEM, Column
from orgdata_dagster.sandbox.octolis.query import Query, Served


def body(records: Sequence[Served], query: Query, columns: Mapping[str, Column]) -> bytes:
    """The answer to a query, with these records as its page."""
    if query.as_csv:
        return _csv(records, query.selection or (*columns, *SYSTEM), query.header)
    return b'{"records":[' + b",".join(_objects(records, query.selection)) + b"]}"


def count(number: int, query: Query) -> bytes:
    """The answer to a count."""
    if query.as_csv:
        return (b"count\n" if query.header else b"") + b"%d\n" % number
    return b'{"count":%d}' % number


def _objects(records: Sequence[Served], selection: Sequence[str] | None) -> Iterable[bytes]:
    if selection is None:
        return [record.json for record in records]
    return [_json(_selected(record.public(), selection)) for record in records]


def _selected(values: Mapping[str, Any], selection: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in selection if name in values}


def _csv(records: Sequence[Served], names: Sequence[str], header: bool) -> bytes:
    lines = [csv_text.line(names, "\n")] if header else []
    for record in records:
        values = record.public()
        lines.append(csv_text.line([_text(values.get(name)) for name in names], "\n"))
    return b"".join(lines)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value).decode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
