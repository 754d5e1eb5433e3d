"""The results of `orgdata doctor`.

Here: `Finding` and `isolated`. Keep out: the examinations (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orgdata_dagster.orchestration.reasons import reason


@dataclass(frozen=True)
class Finding:
    """The result of one examination.

    about: the subject, such as a vendor or a table.
    what: the result in words.
    remedy: the command that fixes it, or what to do.
    fix: applies the fix, if that is safe; returns what was done.
    warning: whether it deserves attention although nothing is wrong.
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


def isolated(about: str, examine: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of `examine`. If it fails, the reason is a finding, so that other examinations still run."""
    try:
        yield from examine()
    except Exception as error:  # noqa: BLE001 - doctor must always finish
        yield Finding(about, reason(error), False)
