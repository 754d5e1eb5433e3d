"""A list and its table: what is requested, how it is filtered by time, and what is checked.

Here: `RestList` and `Filters`, the plain values that the pull, the change probe and the reconciliation share.
Add here when: a list has another property that a pull depends on. Keep out: YAML (table_options.py), requests
(list_request.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orgdata_dagster.orchestration.config.table_options import Table
from orgdata_dagster.vendors.rest.list_request import Listing

Within = Callable[[Listing, datetime | None, datetime | None], Listing]
"""The listing of the rows last changed in `[start, end)`; None: no bound."""


@dataclass(frozen=True)
class Filters:
    """How a list is filtered by the time of a row's last change.

    within: bounds a listing to a range of time.
    column: the column with that time; None if there is none, or if the warehouse cannot read it as an instant.
    option: the YAML option that names the column.
    lookback: rows younger than this are requested again by the next pull.
    margin: how much wider than a day is requested on both sides, because bounds may be inclusive or exclusive.
    reach: how far outside the day received rows may be.
    is_exact: whether bounds are instants, not days.
    has_end: whether the vendor accepts an upper bound.
    initial: the first bound, if the vendor needs one.
    of_whole_days: whether a request names one day, so that several days need several requests.
    full_walk_every: how often all rows are requested, so that deletions are seen; None: only the first time.
    """

    within: Within
    column: str | None = None
    option: str = "incremental.column"
    lookback: timedelta = timedelta(0)
    margin: timedelta = timedelta(seconds=1)
    reach: timedelta = timedelta(days=1)
    is_exact: bool = True
    has_end: bool = True
    initial: datetime | None = None
    of_whole_days: bool = False
    full_walk_every: timedelta | None = None


@dataclass(frozen=True)
class RestList:
    """One list and its table.

    table: the table's YAML.
    listing: the requests, without bounds.
    filters: None if the list cannot be filtered by time.
    by_day: whether the table has daily partitions.
    each: placeholder -> `table.column`; the list is read once per row of that table.
    is_probed, is_reconciled: whether there is a change probe, and a check that compares the number of rows.
    documented: column -> its description in the vendor's document.
    unproven: what a pull cannot prove, in words.
    """

    table: Table
    listing: Listing
    filters: Filters | None = None
    by_day: bool = False
    each: Mapping[str, str] = field(default_factory=dict)
    is_probed: bool = False
    is_reconciled: bool = False
    documented: Mapping[str, str] = field(default_factory=dict)
    unproven: tuple[str, ...] = ()

    @property
    def cursor(self) -> str | None:
        """The column with the time of a row's last change, if the warehouse can read it."""
        return self.filters.column if self.filters else None
