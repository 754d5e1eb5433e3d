"""A current failure: what fails, since when, why, and which command helps.

Here: `Failure`, for tables, syncs, checks, and vendors to which no request is sent.
Keep out: finding failures (failing_assets.py, failures_in_dagster.py, checks.py), messages about them
(orchestration/automation/alerts/); anything that imports Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from orgdata_dagster.overview.pauses import VendorPause


@dataclass(frozen=True)
class Failure:
    """An asset, a check or a vendor that fails now.

    name: the asset as `vendor/table`, the check as `vendor/table: check`, or the vendor.
    what: what went wrong, for users.
    since: the first failure after the last success; None if unknown.
    run_id: the last run that failed; "" for a vendor.
    error: False for a check that only warns, and for a pause that ends by itself.
    remedy: what to do, for users; usually a command.
    """

    name: str
    what: str
    since: datetime | None
    run_id: str = ""
    error: bool = True
    remedy: str = ""


def of_pauses(pauses: Iterable[VendorPause]) -> Iterator[Failure]:
    """The failures that represent vendors to which no request is sent."""
    for each in pauses:
        yield Failure(each.vendor, each.text, each.since, error=each.until is None, remedy=each.remedy)
