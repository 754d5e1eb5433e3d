"""How a person writes an entry of `tables:` of a RestApi.

Here: `RestTable` and `Incremental`, and what of their options contradicts each other. Add here: an option of a table.
Keep out: options of every vendor's tables (orchestration/config/tables.py), paginators (paging.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from orgdata_dagster.http.rest.bounds import Bounds
from orgdata_dagster.http.rest.formats import Format
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.tables import Day, Table
from orgdata_dagster.vendors.rest.client import Listing, placeholders
from orgdata_dagster.vendors.rest.paging import PaginatorOptions
from orgdata_dagster.vendors.rest.unions import by_type

Path = Annotated[str, Field(pattern=r"^/[^?#\s]*$")]
Text = str | int | float | bool

DAY, FROM, UNTIL = "day", "from", "until"
OWN = {DAY, FROM, UNTIL}
"""What is filled in without `each`: the day of the partition, and the two bounds."""


class Incremental(dg.Model):
    """How the vendor filters by the instant of a row's last change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    column: str = Field(description="Column with the instant.")
    from_: str | None = Field(default=None, alias="from", description="Parameter of the lower bound.")
    until: str | None = Field(default=None, description="Parameter of the upper bound.")
    format: Literal["iso8601", "date", "epoch", "epoch_ms"] = Field(
        default="iso8601",
        description="How bounds are written: an instant in UTC, a day, epoch seconds or milliseconds.",
    )
    column_format: Literal["iso8601", "epoch", "epoch_ms"] = Field(
        default="iso8601", description="How the column is written; a day counts as iso8601."
    )
    from_is_inclusive: bool = Field(default=True, description="Whether a row at the lower bound comes.")
    until_is_inclusive: bool = Field(default=False, description="Whether a row at the upper bound comes.")
    initial_value: Day | None = Field(
        default=None, description="Day with which the first pull begins; if left out, it has no lower bound."
    )
    lookback: Duration = Field(
        default="60s", description="How far back the next pull begins: rows may become visible so late."
    )

    @property
    def bounds(self) -> Bounds:
        """The two bounds as the vendor takes them."""
        return Bounds(self.format, self.from_is_inclusive, self.until_is_inclusive)

    @property
    def back(self) -> timedelta:
        """`lookback` as a span."""
        return parse_duration(self.lookback)


_Written = TypeAliasType("_Written", Incremental | None)
IncrementalOptions = Annotated[_Written, by_type(_Written)]  # Dagster's own resolving knows no alias, as `from` is one


class RestTable(Table):
    """One list of the vendor: one asset, one table."""

    path: Path = Field(description="Path behind the base URL; `{name}` is filled in from `each`, `{day}` from the day.")
    method: Literal["GET", "POST"] = Field(default="GET", description="The method of the request.")
    params: dict[str, Text] = Field(default={}, description="More parameters of the query; `{name}` as in the path.")
    headers: dict[str, str] = Field(default={}, description="More headers; never credentials: those go to `auth`.")
    body: dict[str, Any] | None = Field(default=None, description="JSON body of a POST; `{name}` as in the path.")
    parameters_in: Literal["query", "body"] | None = Field(
        default=None,
        description="Where paging and bounds go: names are dotted paths in a body. If left out: body for POST.",
    )
    each: dict[str, str] = Field(
        default={}, description="One walk per row of another table: `{project: projects.id}` fills `{project}`."
    )
    format: Literal["json", "jsonl", "csv", "csv_in_json"] = Field(default="json", description="What an answer is.")
    records: str = Field(
        default="", description="Path of the rows in an answer, as data.items; if left out, the answer is the array."
    )
    paginator: PaginatorOptions = Field(description="How the list is paged, and by what it ends.")
    incremental: IncrementalOptions = Field(default=None, description="How the list is filtered by time.")
    partitions: Literal["day"] | None = Field(
        default=None, description="`day`: a partition per UTC day. If left out, one table is kept equal to the list."
    )
    cost: float = Field(default=1, gt=0, description="Points of the limits that one request costs.")

    @model_validator(mode="after")
    def _consistent(self) -> RestTable:
        problems = [*self._of_requests(), *self._of_time()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _of_requests(self) -> list[str]:
        found = []
        if self.body is not None and self.method != "POST":
            found.append("body: only a POST has one; write `method: POST`")
        if self.parameters_in == "body" and self.method != "POST":
            found.append("parameters_in: only a POST has a body; write `method: POST`")
        used = placeholders(self.path, self.params, self.headers, self.body)
        if unknown := sorted(used - OWN - {*self.each}):
            found.append(
                f"{{{unknown[0]}}} is filled in by nothing; name it in `each`, or write {{day}}, {{from}}, {{until}}"
            )
        if unused := sorted({*self.each} - used):
            found.append(
                f"each: {unused[0]!r} is used nowhere; write {{{unused[0]}}} in the path, a parameter or the body"
            )
        for name, source in self.each.items():
            if len(source.split(".")) != 2:
                found.append(f"each: {name}: {source!r} is not of the form table.column, as projects.id")
        if self.format in ("jsonl", "csv") and self.records:
            found.append(f"records: {self.format} has no place to name; leave it out")
        if self.format == "csv_in_json" and not self.records:
            found.append("records: name the path of the text that is the CSV")
        return found

    def _of_time(self) -> list[str]:
        found, filters = [], self.incremental
        used = placeholders(self.path, self.params, self.headers, self.body)
        has_from = bool(filters and filters.from_) or FROM in used
        has_until = bool(filters and filters.until) or UNTIL in used
        if filters is None and {FROM, UNTIL} & used:
            found.append("incremental: say how {from} and {until} are written")
        if filters and not (has_from or DAY in used):
            found.append("incremental: name the parameter of the lower bound as `from`")
        if self.partitions == "day" and not (DAY in used or (has_from and has_until)):
            found.append(
                "partitions: a day needs both bounds, `incremental: {from: ..., until: ...}`, or {day} in the request; "
                "without them leave `partitions` out"
            )
        if self.partitions is None and DAY in used:
            found.append("partitions: {day} needs `partitions: day`")
        if self.partitions is None and has_until:
            found.append("partitions: with both bounds write `partitions: day`, or leave `until` out")
        if self.partitions is None and FROM in used and filters and not filters.initial_value:
            found.append("incremental: {from} needs initial_value: the day with which the first pull begins")
        if self.partitions is None and filters and not self.key:
            found.append("key: rows that come again are told by their key; name its columns")
        return found

    @property
    def in_body(self) -> bool:
        """Whether paging and bounds go into the body."""
        return self.method == "POST" if self.parameters_in is None else self.parameters_in == "body"

    @property
    def cursor(self) -> str | None:
        """The column by which versions of a row are ordered, where the warehouse can read it as an instant."""
        filters = self.incremental
        return filters.column if filters and filters.column_format == "iso8601" else None

    def listing(self, no_data: frozenset[int]) -> Listing:
        """What the client needs of it."""
        form: Format = self.format
        return Listing(
            path=self.path,
            paginate=self.paginator.made,
            method=self.method,
            params={name: as_text(value) for name, value in self.params.items()},
            headers=self.headers,
            body=self.body,
            in_body=self.in_body,
            format=form,
            records=self.records,
            key=tuple(name for name in self.key if name not in self.each),
            cost=self.cost,
            no_data=no_data,
        )


def as_text(value: Text) -> str:
    """The value of a parameter as a query has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
