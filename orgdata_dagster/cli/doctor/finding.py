"""What `orgdata doctor` finds. Here: `Finding`, and `isolated`. Keep out: finding anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orgdata_dagster.orchestration.reasons import reason


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy`: the command that mends it; `fix` does so where that is safe."""

    about: str
    what: str
    good: bool = True
    remedy: str = ""
    fix: Callable[[], str] | None = None


def isolated(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds; where that fails, the reason is a finding too, and the others are looked at all the same."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - a doctor that dies helps nobody
        yield Finding(about, reason(error), False)
