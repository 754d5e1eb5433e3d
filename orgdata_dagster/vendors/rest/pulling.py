"""One pull of a list: what to ask for, and what the answers prove.

Here: the three manners, and how each becomes a request: a day, all since the last pull, the whole list.
Add here: another manner. Keep out: paging (http/rest/), Dagster (component.py), the rows of `each` (parents.py).

| manner | when                                        | a row that is gone at the vendor            |
|--------|---------------------------------------------|---------------------------------------------|
| day    | `partitions: day`                           | goes when its day is pulled again           |
| since  | `incremental` with a lower bound alone      | stays: the vendor tells only what changed   |
| whole  | neither                                     | goes                                        |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.rest.bounds import Bounds
from orgdata_dagster.orchestration.assets.doubts import ASKED_AGAIN, doubt, keep_stored, shrank
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled, Read
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import day_bounds
from orgdata_dagster.vendors.rest.client import Bound, Listing, RestClient
from orgdata_dagster.vendors.rest.parents import Parents
from orgdata_dagster.vendors.rest.tables import DAY, FROM, UNTIL, RestTable
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval, joined
from orgdata_dagster.warehouse.pages import json_pages

MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)
LOCAL = "the vendor's times do not say their zone: rows may belong to another day"


@dataclass
class RestPull:
    """A pull of one partition while it goes on. `start` and `end`: what is asked for; None: no bound."""

    client: RestClient
    vendor: str
    table: RestTable
    listing: Listing
    parents: Parents
    intake: Intake
    start: datetime | None = None
    end: datetime | None = None
    settled: bool = True
    reasons: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self) -> Pulled:
        """Pull what the table's manner asks for."""
        if self.table.partitions:
            return self._day()
        return self._since() if self.table.incremental else self._whole()

    def _day(self) -> Pulled:
        """All rows of a day, also when it is today: only so is it seen which are gone (docs/adr/0004)."""
        self.start, self.end = start, end = day_bounds(str(self.intake.partition))
        reason = self._walk(doubtful=True)
        until = min(end, self.as_of - self._back) if not self.reasons else min(end - MICROSECOND, self.as_of)
        if reason is not None:
            return keep_stored(self.as_of, start, max(until, start + MICROSECOND), reason)
        proven = (self._interval(start, until),) if until > start else ()
        return Pulled(self.as_of, coverage=proven, whole=self.settled)

    def _since(self) -> Pulled:
        """What changed since the table was complete; rows that are gone stay."""
        filters = self.table.incremental
        assert filters is not None
        first = datetime.fromisoformat(filters.initial_value).replace(tzinfo=UTC) if filters.initial_value else None
        before = tuple(part for part in self.intake.known if part.complete)
        complete = max((part.end for part in before), default=None)
        self.start = first if complete is None else complete - self._back
        self._walk(doubtful=False)
        start, until = complete or first or EVER, self.as_of - self._back
        new = (self._interval(start, until),) if until > start else ()
        if self._reason and not new:
            new = (Interval(start, start + MICROSECOND, self._reason),)
        return Pulled(self.as_of, coverage=joined([*before, *new]))

    def _whole(self) -> Pulled:
        """The whole list. Rows that did not come again are gone, unless the walk is not sure of itself."""
        reason = self._walk(doubtful=True)
        if reason is not None:
            return keep_stored(self.as_of, EVER, self.as_of, reason)
        return Pulled(self.as_of, coverage=(self._interval(EVER, self.as_of),), whole=self.settled)

    @property
    def as_of(self) -> datetime:
        """The vendor's time when the pull began."""
        return self.intake.first_answer or self.began

    @property
    def _back(self) -> timedelta:
        return self.table.incremental.back if self.table.incremental else timedelta(0)

    @property
    def _reason(self) -> str | None:
        return "; ".join(dict.fromkeys(self.reasons)) or None

    def _interval(self, start: datetime, end: datetime) -> Interval:
        """What was pulled, with the reason why it is not complete, or with what shows that it is."""
        proof = None if self.reasons else "; ".join(dict.fromkeys(self.proofs)) or None
        return Interval(start, end, self._reason, proof)

    def _walk(self, *, doubtful: bool, again: bool = False) -> str | None:
        """Take in the list, once per parent. Returns why what is stored has to stay as it is, if so.

        A list that has lost most of its rows is walked `again`.
        """
        if self.parents.doubt:
            self._not_sure(self.parents.doubt)
        for values in self.parents.rows:
            came = self._list(values)
            for _ in range(ASKED_AGAIN if doubtful and doubt(self.intake, came, values) else 0):
                came = came or self._list(values)
            if doubtful and (why := doubt(self.intake, came, values)):
                if not (self.table.key and values):
                    return why
                self._not_sure(why)  # the rows of the others land
        if doubtful and (odd := shrank(self.intake, self.intake.kept)):
            if not again:
                self.intake.forget()
                self.settled, self.reasons, self.proofs = True, [], []
                return self._walk(doubtful=True, again=True)
            self.intake.shrunk.append(odd)
        if not self.settled and not self.table.key:
            return self._reason  # without a key, rows of several walks cannot be told apart
        return None

    def _not_sure(self, reason: str) -> None:
        self.settled = False
        self.reasons.append(reason)

    def _list(self, values: dict[str, str]) -> int:
        """Take in the rows of one walk; returns how many there are."""
        filters = self.table.incremental
        bounds = filters.bounds if filters else Bounds()
        listing = self.listing.filled({**values, **self._own(bounds)})
        sent: list[Bound] = []
        # a second more on both sides, where other days' rows are told by their instant: the flags may be wrong
        more = SECOND if self.end is not None and self.table.cursor and bounds.format != "date" else timedelta(0)
        if filters and filters.from_ and self.start is not None:
            sent.append((filters.from_, bounds.start(self.start - more)))
        if filters and filters.until and self.end is not None:
            sent.append((filters.until, bounds.end(self.end + more)))
        walked = self.client.pages(listing, sent, folder=self.intake.folder, read=self._reader())
        if walked.reason is not None:
            self._not_sure(walked.reason)
        elif walked.proof is not None:
            self.proofs.append(walked.proof)
        for page in walked.pages:
            self._take(page, values)
        return sum(page.records for page in walked.pages)

    def _own(self, bounds: Bounds) -> dict[str, str]:
        found = {DAY: str(self.intake.partition)} if self.end is not None else {}
        if self.start is not None:
            found[FROM] = str(bounds.start(self.start))
        if self.end is not None:
            found[UNTIL] = str(bounds.end(self.end))
        return found

    def _reader(self) -> Read:
        if self.table.format in ("csv", "csv_in_json"):
            return self.intake.reader(self.table.cursor)
        return self.intake.json_reader(cursor=self.table.cursor, records=self.table.records or json_pages.ARRAY)

    def _take(self, page: MeasuredPage, values: dict[str, str]) -> None:
        """Stage a page; of a day only the rows of that day."""
        if self.end is None or self.start is None or self.table.cursor is None:
            self.intake.take(page, constants=values)
            return
        self._check_bounds(page)
        if page.records and not page.zoned and self.table.incremental and self.table.incremental.format != "date":
            self._not_sure(LOCAL)
        self.intake.take(page, after=self.start - MICROSECOND, until=self.end - MICROSECOND, constants=values)

    def _check_bounds(self, page: MeasuredPage) -> None:
        """Raise PermanentError where the vendor did not filter: a day would be the whole list, at every pull."""
        assert self.start is not None
        assert self.end is not None
        reach = timedelta(days=1)  # bounds may be included, and days may be the vendor's own
        if page.lowest is None or page.highest is None:
            return
        if page.lowest < self.start - reach or page.highest >= self.end + reach:
            raise PermanentError(
                f"asked for [{self.start.isoformat()}, {self.end.isoformat()}), got rows from "
                f"{page.lowest.isoformat()} to {page.highest.isoformat()}",
                vendor=self.vendor,
                endpoint=self.listing.path,
                remedy="The vendor does not filter by this column with these parameters: correct `incremental`.",
            )


def pull(
    client: RestClient, vendor: str, table: RestTable, listing: Listing, parents: Parents, intake: Intake
) -> Pulled:
    """Pull one partition."""
    return RestPull(client, vendor, table, listing, parents, intake).run()
