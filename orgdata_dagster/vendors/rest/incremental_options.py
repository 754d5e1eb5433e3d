"""The YAML of `incremental:`: how a list is filtered by the time of a row's last change.

Here: `Incremental`, and how it bounds a list. Add here when: filters have another option.
Keep out: the format of bounds (http/rest/bounds.py), which time is requested (pulling.py).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

import dagster as dg
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from orgdata_dagster.http.rest.bounds import Bounds
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.table_options import Day
from orgdata_dagster.vendors.rest.list_request import Listing
from orgdata_dagster.vendors.rest.list_settings import Filters
from orgdata_dagster.vendors.rest.unions import by_type
from orgdata_dagster.warehouse.ledger.intervals import EVER

DAY, FROM, UNTIL = "day", "from", "until"
OWN = {DAY, FROM, UNTIL}
"""Placeholders that need no `each`: the partition's day, and the two bounds."""

_A_DAY = timedelta(days=1)


class Incremental(dg.Model):
    """How the vendor filters by the time of a row's last change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    column: str = Field(description="Column with the time of a row's last change.")
    from_: str | None = Field(default=None, alias="from", description="Parameter of the lower bound.")
    until: str | None = Field(default=None, description="Parameter of the upper bound.")
    format: Literal["iso8601", "date", "epoch", "epoch_ms"] = Field(
        default="iso8601",
        description="Format of the bounds: an instant in UTC, a day, epoch seconds or epoch milliseconds.",
    )
    column_format: Literal["iso8601", "epoch", "epoch_ms"] = Field(
        default="iso8601", description="Format of the column; a day counts as iso8601."
    )
    from_is_inclusive: bool = Field(default=True, description="Whether rows at the lower bound are returned.")
    until_is_inclusive: bool = Field(default=False, description="Whether rows at the upper bound are returned.")
    newest_first: bool = Field(
        default=False,
        description="Whether the request (`params`) sorts the list by the column, newest first. Every row is then "
        "found in one walk, even if rows change meanwhile.",
    )
    initial_value: Day | None = Field(default=None, description="First day of the first pull. Default: no lower bound.")
    lookback: Duration = Field(
        default="60s", description="How much earlier the next pull begins, because rows may become visible late."
    )
    full_walk_every: Duration | None = Field(
        default="7d",
        description="If the list has only a lower bound: how often all rows are read, so that deletions are seen. 0s: "
        "at every pull; null: only the first time.",
    )

    @model_validator(mode="after")
    def _can_be_sorted(self) -> Incremental:
        if self.newest_first and self.cursor is None:
            raise ValueError("newest_first: needs a column in iso8601")
        return self

    @property
    def cursor(self) -> str | None:
        """The column, if the warehouse can read it as an instant."""
        return self.column if self.column_format == "iso8601" else None

    def filters(self, placeholders: Set[str]) -> Filters:
        """The options as plain values.

        placeholders: the placeholders in the request.
        """
        by_day = self.format == "date" or DAY in placeholders
        every = self.full_walk_every
        return Filters(
            partial(_within, self),
            column=self.cursor,
            lookback=parse_duration(self.lookback),
            # rows of other days are recognized by their instant, so wider bounds do no harm
            margin=timedelta(0) if by_day or self.cursor is None else Filters.margin,
            is_exact=self.format != "date",
            has_end=bool(self.until) or UNTIL in placeholders,
            initial=self._initial,
            of_whole_days=DAY in placeholders,
            full_walk_every=None if every is None else parse_duration(every),
        )

    @property
    def _initial(self) -> datetime | None:
        return datetime.fromisoformat(self.initial_value).replace(tzinfo=UTC) if self.initial_value else None


def _within(options: Incremental, listing: Listing, start: datetime | None, end: datetime | None) -> Listing:
    """The listing with these bounds, as parameters and as placeholders."""
    bounds = Bounds(options.format, options.from_is_inclusive, options.until_is_inclusive)
    sent = []
    if options.from_ and start is not None:
        sent.append((options.from_, bounds.start(start)))
    if options.until and end is not None:
        sent.append((options.until, bounds.end(end)))
    # a placeholder needs a value, even if there is no bound
    earliest, latest = start or options._initial or EVER, end or datetime.now(UTC) + _A_DAY
    values = {FROM: str(bounds.start(earliest)), UNTIL: str(bounds.end(latest))}
    return replace(of_day(listing, start, end).filled(values), bounds=tuple(sent))


def of_day(listing: Listing, start: datetime | None, end: datetime | None) -> Listing:
    """The listing of one day, for the placeholder `{day}`. The bounds may be wider than the day."""
    return listing.filled({DAY: str((start + (end - start) / 2).date())}) if start and end else listing


_Written = TypeAliasType("_Written", Incremental | None)
IncrementalOptions = Annotated[_Written, by_type(_Written)]  # Dagster's own resolution does not know aliases (`from`)
