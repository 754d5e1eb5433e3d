"""The YAML of one entry of `tables:` of a RestApi.

Here: `RestTable`, and which of its options contradict each other. Add here when: a table has another option.
Keep out: options of every vendor's tables (orchestration/config/table_options.py), paginators (paginator_options.py),
filters (incremental_options.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from orgdata_dagster.http.rest.formats import Format
from orgdata_dagster.orchestration.config.table_options import Table
from orgdata_dagster.vendors.rest.incremental_options import DAY, FROM, OWN, UNTIL, IncrementalOptions, of_day
from orgdata_dagster.vendors.rest.list_request import Listing, placeholders
from orgdata_dagster.vendors.rest.list_settings import Filters, RestList
from orgdata_dagster.vendors.rest.paginator_options import PaginatorOptions
from orgdata_dagster.vendors.rest.parents import table_of

UrlPath = Annotated[str, Field(pattern=r"^/[^?#\s]*$")]
Scalar = str | int | float | bool


class RestTable(Table):
    """One list of the vendor: one asset, one table."""

    path: UrlPath = Field(
        description="Path after the base URL. `{name}` is replaced from `each`; `{day}`, `{from}` and `{until}` from "
        "the requested time."
    )
    method: Literal["GET", "POST"] = Field(default="GET", description="Method of the request.")
    params: dict[str, Scalar] = Field(default={}, description="More query parameters, with `{name}` as in the path.")
    headers: dict[str, str] = Field(default={}, description="More headers. Credentials belong in `auth`.")
    body: dict[str, Any] | None = Field(default=None, description="JSON body of a POST, with `{name}` as in the path.")
    parameters_in: Literal["query", "body"] | None = Field(
        default=None,
        description="Where paging and bounds are sent; in a body by dotted paths. Default: body for POST, else query.",
    )
    each: dict[str, str] = Field(
        default={},
        description="The list is read once per row of another table: `{project: projects.id}` replaces `{project}`. "
        "That table may have `each` itself.",
    )
    format: Literal["json", "jsonl", "csv", "csv_in_json"] = Field(default="json", description="Format of an answer.")
    records: str = Field(
        default="", description="Path of the rows in an answer, such as data.items. Default: the answer is the array."
    )
    expects: list[str] = Field(
        default=[],
        description="Paths of objects that every answer has, such as `meta`. An answer without one is requested again.",
    )
    paginator: PaginatorOptions = Field(description="How the list is paged, and where it ends.")
    incremental: IncrementalOptions = Field(default=None, description="How the list is filtered by time.")
    partitions: Literal["day"] | None = Field(
        default=None, description="`day`: one partition per UTC day. Default: no partitions."
    )
    change_probe: bool = Field(
        default=False,
        description="Whether the change sensor requests a row every 5 minutes, and pulls the table if it has changed.",
    )
    reconcile: bool = Field(
        default=False,
        description="Whether the check `total_items` compares the table with the vendor's `total` after every pull.",
    )
    cost: float = Field(default=1, gt=0, description="Cost of a request, in the points of `limits`.")

    @model_validator(mode="after")
    def _consistent(self) -> RestTable:
        problems = [*self._of_requests(), *self._of_time(), *self._of_checks()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _of_requests(self) -> Iterator[str]:
        if self.body is not None and self.method != "POST":
            yield "body: only a POST has a body; write `method: POST`"
        if self.parameters_in == "body" and self.method != "POST":
            yield "parameters_in: only a POST has a body; write `method: POST`"
        if unknown := sorted(self.placeholders - OWN - {*self.each}):
            yield f"nothing replaces {{{unknown[0]}}}; name it in `each`, or use {{day}}, {{from}}, {{until}}"
        if unused := sorted({*self.each} - self.placeholders):
            yield f"each: {unused[0]!r} is not used; write {{{unused[0]}}} in the path, a parameter or the body"
        for name, source in self.each.items():
            if len(source.split(".")) != 2:
                yield f"each: {name}: {source!r} is not of the form table.column, such as projects.id"
        if self.format in ("jsonl", "csv") and (self.records or self.expects):
            yield f"{'records' if self.records else 'expects'}: {self.format} has no paths; remove this option"
        if self.format == "csv_in_json" and not self.records:
            yield "records: write the path of the text that contains the CSV"

    def _of_time(self) -> Iterator[str]:
        filters, used = self.incremental, self.placeholders
        has_from = bool(filters and filters.from_) or FROM in used
        has_until = bool(filters and filters.until) or UNTIL in used
        if filters is None and {FROM, UNTIL} & used:
            yield "incremental: needed for the format of {from} and {until}"
        if filters and not (has_from or DAY in used):
            yield "incremental: write the parameter of the lower bound as `from`"
        if self.partitions == "day" and not (DAY in used or (has_from and has_until)):
            yield (
                "partitions: a day needs both bounds, `incremental: {from: ..., until: ...}`, or {day} in the request; "
                "otherwise remove `partitions`"
            )
        if self.partitions is None and DAY in used:
            yield "partitions: {day} needs `partitions: day`"
        if self.partitions is None and has_until:
            yield "partitions: if there are both bounds, write `partitions: day`, or remove `until`"
        if self.partitions is None and FROM in used and filters and not filters.initial_value:
            yield "incremental: {from} needs initial_value: the first day of the first pull"
        if self.partitions is None and filters and not self.key:
            yield "key: changed rows are merged by key; write its columns"

    def _of_checks(self) -> Iterator[str]:
        filters = self.incremental
        by_day_alone = self.partitions == "day" and (filters is None or DAY in self.placeholders)
        for name, is_on in (("change_probe", self.change_probe), ("reconcile", self.reconcile)):
            if is_on and self.each:
                yield f"{name}: with `each` it would cost one request per row of the other table; remove this option"
            elif is_on and by_day_alone:
                yield f"{name}: needs both bounds in `incremental`; add them, or remove this option"
        if self.reconcile and not self.has_total:
            yield "reconcile: needs `total` in `paginator`: the path of the vendor's number of rows"
        if self.reconcile and filters and filters.cursor is None:
            yield "reconcile: needs a column in iso8601"
        if self.change_probe and filters is None and not self.has_total:
            yield "change_probe: needs `incremental`, or `total` in `paginator`"

    @property
    def placeholders(self) -> set[str]:
        """The names in braces."""
        return placeholders(self.path, self.params, self.headers, self.body)

    @property
    def has_total(self) -> bool:
        """Whether answers have the vendor's number of rows."""
        return bool(getattr(self.paginator, "total", ""))

    def source(self, no_data: frozenset[int]) -> RestList:
        """The list as plain values.

        no_data: statuses that mean "no rows".
        """
        filters = self.incremental
        return RestList(
            self,
            self._listing(no_data),
            filters.filters(self.placeholders) if filters else Filters(of_day) if self.partitions else None,
            by_day=self.partitions is not None,
            each=self.each,
            is_probed=self.change_probe,
            is_reconciled=self.reconcile,
            unproven=tuple(self._unproven()),
        )

    def _listing(self, no_data: frozenset[int]) -> Listing:
        form: Format = self.format
        filters = self.incremental
        return Listing(
            path=self.path,
            paginate=self.paginator.build,
            method=self.method,
            params={name: as_text(value) for name, value in self.params.items()},
            headers=self.headers,
            body=self.body,
            in_body=self.method == "POST" if self.parameters_in is None else self.parameters_in == "body",
            format=form,
            records=self.records,
            key=tuple(name for name in self.key if name not in self.each),
            changed_at=(filters and filters.cursor) or "",
            newest_first=bool(filters and filters.newest_first),
            expects=tuple(self.expects),
            cost=self.cost,
            no_data=no_data,
        )

    def _unproven(self) -> Iterator[str]:
        """What a pull cannot prove with these options, one sentence each."""
        filters = self.incremental
        if not self.key:
            yield "no `key`: repeated rows cannot be distinguished, and rows that move may be missing"
        if not self.has_total:
            yield "no `total`: only the vendor, or two walks that agree, show that the list is complete"
        if getattr(self.paginator, "stands_at", "row") == "number":
            yield "links are assumed to contain page numbers: a list of several pages is read at least twice"
        if filters and not self.partitions:
            every = filters.full_walk_every
            yield "only a lower bound: rows that are deleted at the vendor stay in the table" + (
                f" until the next full walk (every {every})" if every else "; set `full_walk_every` to see deletions"
            )
        if self.partitions and not (filters and filters.cursor):
            yield "no `incremental.column` in iso8601: that the vendor's days are UTC days is its word"
        if self.each:
            yield f"lists of rows of `{table_of(self.each)}` that have not landed yet are not read"


def as_text(value: Scalar) -> str:
    """The value of a query parameter as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
