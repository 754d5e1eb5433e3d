"""CSV as RFC 4180 writes it, with a missing value kept apart from an empty one.

Here: rendering one line. Python's csv module writes no difference between missing (``) and empty (`""`).
Add here when: a vendor's CSV is written by other rules.
Keep out: which columns and rows there are.
"""

from collections.abc import Iterable


def line(values: Iterable[str | None], end: str) -> bytes:
    """One line in UTF-8: None is nothing at all, "" is `""`, and only what must be quoted is quoted."""
    return (",".join(map(_field, values)) + end).encode()


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
