"""CSV by RFC 4180, with different spellings for a missing and an empty value.

Here: rendering one line. Python's csv module does not distinguish missing (``) from empty (`""`).
Add here when: a vendor's CSV follows other rules.
Keep out: columns and rows (the vendors' packages).
"""

from collections.abc import Iterable


def line(values: Iterable[str | None], end: str) -> bytes:
    """One line in UTF-8: None is an empty field, "" is `""`, and only fields that need quotes are quoted."""
    return (",".join(map(_field, values)) + end).encode()


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
