"""What fails now, since when, why, and the command that helps: tables, syncs, checks, and vendors that get no request.

Here: `Failure`. Keep out: finding failures (last_runs.py, failed_runs.py, checks.py), messages about them
(orchestration/automation/alerts/); anything that imports Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from orgdata_dagster.overview.pauses import VendorPause


@dataclass(frozen=True)
class Failure:
    """An asset, a check or a vendor that fails. `what`: why. `remedy`: what to do, mostly a command.

    since: the first failure after the last success; None if unknown.
    run_id: the last run that failed; "" for a vendor.
    error: False for a check that only warns, and for a pause that ends by itself.
    """

    name: str
    what: str
    since: datetime | None
    run_id: str = ""
    error: bool = True
    remedy: str = ""


def of_pauses(pauses: Iterable[VendorPause]) -> Iterator[Failure]:
    """The vendors that get no request, as failures."""
    for each in pauses:
        yield Failure(each.vendor, each.text, each.since, error=each.until is None, remedy=each.remedy)
