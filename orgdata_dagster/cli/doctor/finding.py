"""One result of `orgdata doctor`. Here: `Finding` and `isolated`. Keep out: the examinations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orgdata_dagster.orchestration.reasons import reason


@dataclass(frozen=True)
class Finding:
    """The result of one examination.

    warning: it is worth a look, but nothing is wrong.
    remedy: the command that fixes it. fix: applies the fix, if that is safe.
    """

    about: str
    what: str
    good: bool = True
    remedy: str = ""
    fix: Callable[[], str] | None = None

    def as_json(self) -> dict[str, str | bool]:
        """As `--json` prints it."""
        return {"about": self.about, "what": self.what, "good": self.good, "remedy": self.remedy}

    warning: bool = False


def isolated(about: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of `look`. If it fails, the reason is a finding, so that the other examinations still run."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 - doctor must always finish
        yield Finding(about, reason(error), False)
