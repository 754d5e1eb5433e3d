"""The records of a body as Python objects, only for paging; the warehouse parses the bodies again for landing.

Here: JSON (records at a path or at the top level), JSON lines, CSV, and CSV in a JSON string; and rewriting JSON lines
and CSV in JSON as files that the warehouse can parse. Add here when: there is another format. Keep out: types
(warehouse/).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest import paths
from orgdata_dagster.http.rest.answers import Row

Format = Literal["json", "jsonl", "csv", "csv_in_json"]


def document(path: Path, form: Format, records: str) -> Any:
    """The JSON document of a body; None for CSV and JSON lines. Raises BadBody."""
    if form in ("csv", "jsonl"):
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        place = f" with rows at {records!r}" if records else ""
        raise BadBody(f"the answer is not JSON{place}: {error}") from None


def rows(path: Path, form: Format, records: str, body: Any) -> list[Row]:
    """The records of a body; `body`: its document. Raises BadBody."""
    if form == "csv":
        return rows_of_csv(path.read_text(encoding="utf-8-sig"))
    if form == "jsonl":
        return [_object(line, number) for number, line in _lines(path)]
    found = paths.find(body, records)
    if form == "csv_in_json":
        if not isinstance(found, str):
            raise BadBody(f"there is no text at {records!r}; {contents(body)}")
        return rows_of_csv(found)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        where = f"at {records!r}" if records else "at the top level"
        raise BadBody(f"there is no array of objects {where}, as `records` requires; {contents(body)}")
    return found


def check_objects(body: Any, places: Iterable[str]) -> None:
    """Raise BadBody if the document has no object at one of these paths."""
    for path in places:
        if not isinstance(paths.find(body, path), Mapping):
            raise BadBody(f"there is no object at {path!r}; {contents(body)}")


def rewrite(path: Path, form: Format, records: str, body: Any) -> None:
    """Turn JSON lines into an array, and CSV in JSON into CSV, in place. `body`: its document. Raises BadBody."""
    if form == "jsonl":
        part = path.with_name(path.name + ".array")
        with part.open("w", encoding="utf-8") as target:
            target.write("[")
            for at, (_, line) in enumerate(_lines(path)):
                target.write(f",{line}" if at else line)
            target.write("]")
        part.replace(path)
    elif form == "csv_in_json":
        text = paths.find(body, records)
        if not isinstance(text, str):
            raise BadBody(f"there is no text at {records!r}")
        path.write_text(text, encoding="utf-8")


def rows_of_csv(text: str) -> list[Row]:
    """The rows of a CSV with a header. Raises BadBody if it is cut short inside quotes."""
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BadBody(f"the CSV cannot be read: {error}") from None


def _lines(path: Path) -> list[tuple[int, str]]:
    with path.open(encoding="utf-8-sig") as lines:
        return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def _object(line: str, number: int) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"line {number} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadBody(f"line {number} is not an object: {excerpt(line, 60)}")
    return found


def contents(body: Any) -> str:
    """The top level of a document, for an error message."""
    if isinstance(body, Mapping):
        return f"the answer has {excerpt(', '.join(map(str, body)), 200) or 'nothing'}"
    return f"the answer is {excerpt(json.dumps(body), 80)}"
