"""Corrupting correct answers: truncated within quotes, emptied, with one invalid character.

Here: functions from body to body, for any vendor: CSV, JSON, and CSV that is the only string of a JSON object.
Add here when: a fault changes a body in another way.
Keep out: when this happens, and how the body is sent (`faults`).
"""

import json
import re
from typing import Any

_TOTALS = re.compile(r"total|count", re.IGNORECASE)
_TEXT = rb"[A-Za-z ]{2,}(?![\w-])"  # matches neither keys nor instants
_JSON = {"surrogate": "\\ud83d", "nul": "\\u0000"}
_BYTES = {"surrogate": b"\xed\xa0\xbd", "nul": b"\x00", "utf8": b"\xff"}


def cut(body: bytes) -> bytes:
    """The body up to a place inside quotes. If a CSV is in an envelope, the envelope stays complete."""
    if csv := _enveloped_csv(body):
        return _envelope(csv[0], cut_in_quotes(csv[1].encode()).decode())
    return cut_in_quotes(body)


def cut_in_quotes(body: bytes) -> bytes:
    """The body up to a place inside a quoted field after its middle; if there is none, a quote is added."""
    quote = body.find(b'"', len(body) // 2)
    if quote < 0:
        quote = body.find(b'"')
    if quote < 0:
        return body[: body.rfind(b",") + 1] + b'"cut'
    inside = body.count(b'"', 0, quote + 1) % 2 == 1
    return body[: quote + 1] if inside else body[:quote]


def emptied(body: bytes, totals: bool) -> bytes:
    """The answer without its rows.

    totals: whether totals become 0 and links to next pages are removed.
    """
    if csv := _enveloped_csv(body):
        return _envelope(csv[0], _header(csv[1].encode()).decode())
    try:
        found = json.loads(body)
    except ValueError:
        return _header(body)
    return json.dumps(_without_rows(found, totals)).encode()


def with_bad_character(body: bytes, what: str) -> bytes:
    """The answer with one bad character after a text of its first row that is neither a key nor an instant."""
    if what == "bom":
        return b"\xef\xbb\xbf" + body
    if csv := _enveloped_csv(body):
        head = _header(csv[1].encode()).decode()
        spoiled = _spoil(json.dumps(csv[1][len(head) :]).encode(), rb'(?<=[,"])' + _TEXT, what, in_json=True)
        return b'{"%s": %s%s' % (csv[0].encode(), json.dumps(head).encode()[:-1], spoiled[1:] + b"}")
    if body.lstrip()[:1] in (b"{", b"["):
        return _spoil(body, rb'(?:(?<=":")|(?<=": "))' + _TEXT, what, in_json=True)
    lines = _header(body)
    return lines + _spoil(body[len(lines) :], rb'(?<=[,"])' + _TEXT, what, in_json=False)


def _spoil(body: bytes, text: bytes, what: str, *, in_json: bool) -> bytes:
    escape = _JSON.get(what, "").encode()
    bad = escape if in_json and escape else _BYTES[what]
    return re.sub(text, lambda match: match.group() + bad, body, count=1)


def _without_rows(found: Any, totals: bool) -> Any:
    if isinstance(found, list):
        return []
    if not isinstance(found, dict):
        return 0 if totals else found
    if totals:
        found = {name: _no_more(name, value) for name, value in found.items()}
    return {
        name: _without_rows(value, totals) if isinstance(value, dict | list) else value for name, value in found.items()
    }


def _no_more(name: str, value: Any) -> Any:
    if isinstance(value, int) and _TOTALS.search(name):
        return 0
    return None if name in ("next", "next_cursor") else value


def _header(csv: bytes) -> bytes:
    return csv[: csv.find(b"\n") + 1]


def _enveloped_csv(body: bytes) -> tuple[str, str] | None:
    """Name and CSV of `{"report": "<csv>"}`; None for a body of another shape."""
    try:
        [(name, text)] = json.loads(body).items()
    except (ValueError, AttributeError):
        return None
    return (name, text) if isinstance(text, str) else None


def _envelope(name: str, text: str) -> bytes:
    return json.dumps({name: text}, ensure_ascii=False).encode()
