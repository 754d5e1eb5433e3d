"""What an error may quote of a vendor's data: the beginning, after whoever knows secrets has taken them out.

What lives here: `excerpt`, and the place where a program says how secrets are taken out.
Add here when: errors have to quote data in another way.
Keep out: which values are secret: the warehouse knows none.
"""

from __future__ import annotations

from collections.abc import Callable

Excerpt = Callable[[str, int], str]


def _plain(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


_excerpt: Excerpt = _plain


def excerpt_with(function: Excerpt) -> None:
    """Have `function` make all excerpts of this process from now on, of a text and a length."""
    global _excerpt
    _excerpt = function


def excerpt(text: str, longest: int) -> str:
    """The beginning of a text, of at most so many characters. Never a slice instead: it may cut through a secret."""
    return _excerpt(text, longest)
