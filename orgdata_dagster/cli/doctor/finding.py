"""What `orgdata doctor` finds. Here: `Finding`. Keep out: finding anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy`: the command that mends it; `fix` does so where that is safe."""

    about: str
    what: str
    good: bool = True
    remedy: str = ""
    fix: Callable[[], str] | None = None
