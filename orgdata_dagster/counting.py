"""Numbers of things in words: `1 row`, `2 rows`, `1,234 requests`, `1 partition has`.

Here: `counted` and `counted_span`, for every text that a user reads. Keep out: durations (http/waiting.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

_OF_ONE = {"are": "is", "were": "was", "have": "has"}


def counted(number: float, what: str, verb: Literal["", "are", "were", "have"] = "") -> str:
    """A number of things; `what` is their name in the singular, `verb` what follows, in the plural."""
    one = number == 1
    figure = f"{number:,.0f}" if number == int(number) else f"{number:g}"
    noun = f"{figure} {what}{'' if one else 's'}"
    return f"{noun} {_OF_ONE[verb] if one else verb}" if verb else noun


def counted_span(names: Sequence[str | None], what: str) -> str:
    """How many of them, and from which to which: `2 partitions, 2026-11-01 to 2026-11-03`."""
    ends = f"{names[0]}" if len(names) == 1 else f"{names[0]} to {names[-1]}"
    return f"{counted(len(names), what)}, {ends}"
