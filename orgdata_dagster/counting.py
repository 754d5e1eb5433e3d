"""Texts with a number and a noun in singular or plural: `1 row`, `2 rows`, `1,234 requests`, `1 partition has`.

Here: `counted` and `counted_span`, for every text that a user reads. Keep out: durations (http/waiting.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

_OF_ONE = {"are": "is", "were": "was", "have": "has"}


def counted(number: float, what: str, verb: Literal["", "are", "were", "have"] = "") -> str:
    """The number and the noun, and optionally a verb. `what`: the noun in the singular; `verb`: in the plural."""
    one = number == 1
    figure = f"{number:,.0f}" if number == int(number) else f"{number:g}"
    noun = f"{figure} {what}{'' if one else 's'}"
    return f"{noun} {_OF_ONE[verb] if one else verb}" if verb else noun


def counted_span(names: Sequence[str | None], what: str) -> str:
    """The number of names with the first and the last one: `3 partitions, 2026-11-01 to 2026-11-03`.

    names: at least one, in order.
    """
    ends = f"{names[0]}" if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return f"{counted(len(names), what)}, {ends}"
