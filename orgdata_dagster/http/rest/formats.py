"""The records of a body as Python objects, for paging alone; what lands is read by the warehouse's own parsers.

Here: JSON (records at a path, top level included), JSON lines, CSV, and CSV that is a string in JSON; and making of the
two odd ones a file that those parsers read. Add here: another format. Keep out: types (warehouse/).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest import paths
from orgdata_dagster.http.rest.answers import Row

Format = Literal["json", "jsonl", "csv", "csv_in_json"]


def parsed(path: Path, form: Format, records: str) -> tuple[Any, list[Row]]:
    """The JSON document of a body (None where there is none) and its records. Raises BadBody."""
    if form == "csv":
        return None, rows_of_csv(path.read_text(encoding="utf-8-sig"))
    if form == "jsonl":
        return None, [_object(line, number) for number, line in _lines(path)]
    try:
        body = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the answer is not JSON: {error}") from None
    found = paths.find(body, records)
    if form == "csv_in_json":
        if not isinstance(found, str):
            raise BadBody(f"there is no text at {records!r}; {_has(body)}")
        return body, rows_of_csv(found)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        where = f"at {records!r}" if records else "at the top level"
        raise BadBody(f"there is no array of objects {where}: `records` names the place; {_has(body)}")
    return body, found


def rewrite(path: Path, form: Format, records: str) -> None:
    """Make JSON lines an array, and a CSV in JSON a CSV, in place. Raises BadBody."""
    if form == "jsonl":
        part = path.with_name(path.name + ".array")
        with part.open("w", encoding="utf-8") as target:
            target.write("[")
            for at, (_, line) in enumerate(_lines(path)):
                target.write(f",{line}" if at else line)
            target.write("]")
        part.replace(path)
    elif form == "csv_in_json":
        try:
            text = paths.find(json.loads(path.read_bytes()), records)
        except (ValueError, RecursionError) as error:
            raise BadBody(f"the answer is not JSON: {error}") from None
        if not isinstance(text, str):
            raise BadBody(f"there is no text at {records!r}")
        path.write_text(text, encoding="utf-8")


def rows_of_csv(text: str) -> list[Row]:
    """The rows of a CSV with a header. Raises BadBody where it is cut short inside quotes."""
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
        raise BadBody(f"line {number} is no object: {excerpt(line, 60)}")
    return found


def _has(body: Any) -> str:
    if isinstance(body, Mapping):
        return f"the answer has {excerpt(', '.join(map(str, body)), 200) or 'nothing'}"
    return f"the answer is {excerpt(json.dumps(body), 80)}"
