"""Excerpts of a vendor's data for error messages: the beginning of a text, with secrets removed.

Here: `excerpt`, and `excerpt_with`, with which the program sets how secrets are removed. Add here: another way to quote
data. Keep out: which values are secret, because the warehouse does not know any secret.
"""

from __future__ import annotations

from collections.abc import Callable

Excerpt = Callable[[str, int], str]


def _plain(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


_excerpt: Excerpt = _plain


def excerpt_with(function: Excerpt) -> None:
    """Make all excerpts of this process with `function(text, longest)` from now on."""
    global _excerpt
    _excerpt = function


def excerpt(text: str, longest: int) -> str:
    """The beginning of a text, at most `longest` characters.

    Use this instead of a slice, which may cut through a secret so that it is no longer recognised.
    """
    return _excerpt(text, longest)
