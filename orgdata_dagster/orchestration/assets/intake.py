"""What a vendor's pull of one partition hands over: pages, and what they prove.

Here: `Intake`, into which a pull puts its pages, and `Pulled`, what it says of them at its end.
Keep out: when and how they are committed (landing.py).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.readers import MeasuredPage, csv_reader, json_reader
from orgdata_dagster.warehouse.commit.ready import ReadyRows
from orgdata_dagster.warehouse.commit.target import PartitionLoad
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.stage import StagedPage

Read = Callable[[Download], MeasuredPage]


Stored = Callable[[Mapping[str, str], datetime | None], int]


def nothing_stored(_values: Mapping[str, str], _after: datetime | None) -> int:
    """For a table that has no rows yet."""
    return 0


@dataclass
class Intake:
    """Where a pull puts the pages of one partition. It counts while it takes them in.

    `area`: the folder of the run, in which this one has files and, if it is asked for, a folder of its own. `stored`:
    how many rows of the partition are stored that have these values in these columns (newest versions only, and where
    an instant is given only those with a later cursor). `accept_shrink`: a person says that rows which do not come
    again are gone.
    """

    partition: str | None
    area: Path
    ready: ReadyRows
    known: tuple[Interval, ...] = ()
    stored: Stored = nothing_stored
    accept_shrink: bool = False
    bytes: int = 0
    requests: int = 0
    waited: float = 0.0
    replaced_characters: int = 0
    first_answer: datetime | None = None
    watermark: datetime | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """For looking at pages; a thread takes a cursor of its own."""
        return self.ready.stage.connection

    @property
    def staged(self) -> Sequence[StagedPage]:
        """The pages that were taken in."""
        return self.ready.stage.pages

    @cached_property
    def folder(self) -> Path:
        """A folder of its own, for a pull that names its pages itself."""
        return Path(tempfile.mkdtemp(dir=self.area))

    def file(self, name: str) -> Path:
        """The path for one page of this name, without a folder: to remove one takes longer than to commit a page."""
        return self.area / f"{self.partition}-{name}"

    def reader(self, cursor: str | None) -> Read:
        """A reader of CSV for the client; it counts what every page cost, also one that is not taken."""
        return self._counted(csv_reader(self.connection, cursor))

    def json_reader(
        self,
        *,
        cursor: str | None = None,
        records: str = json_pages.ARRAY,
        flatten: Collection[str] = (),
        expected: Collection[str] = (),
    ) -> Read:
        """As `reader`, for JSON: see json_pages.prepare."""
        measure = json_reader(self.connection, cursor=cursor, records=records, flatten=flatten, expected=expected)
        return self._counted(measure)

    def take(
        self,
        page: MeasuredPage,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        constants: Mapping[str, str] | None = None,
    ) -> None:
        """Stage a page, of which only the rows with `after < cursor <= until` belong to the partition."""
        kept = page.kept(after, until)
        self.ready.add(StagedPage(page.page, self.partition, after, until, kept, constants or {}))
        if page.highest is not None:
            highest = min(page.highest, datetime.now(UTC))  # a row may be dated ahead, what we have seen cannot be
            self.watermark = max(filter(None, (self.watermark, highest)))

    def take_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Stage a few rows that the client has made out of an answer itself."""
        path = self.file(f"rows-{len(self.staged)}.json")
        path.write_text(json.dumps(rows))
        self.ready.add(StagedPage(json_pages.prepare(path, self.connection), self.partition))

    def count(self, download: Download) -> None:
        """Note what a page cost that no reader of ours reads."""
        self.bytes += download.bytes
        self.requests += download.attempts
        self.waited += download.waited
        self.replaced_characters += download.replaced_characters
        if self.first_answer is None and download.server_time is not None:
            self.first_answer = not_ahead(download.server_time)

    @property
    def kept(self) -> int:
        """Rows that were taken in and belong to the partition."""
        return sum(page.page.records if page.kept is None else page.kept for page in self.staged)

    def close(self) -> None:
        """Let go of the pages, once they are committed or never will be."""
        self.ready.discard()
        self.connection.close()
        for staged in self.staged:
            staged.page.path.unlink(missing_ok=True)
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _counted(self, measure: Read) -> Read:
        def read(download: Download) -> MeasuredPage:
            page = measure(download)
            self.count(download)
            return page

        return read


def not_ahead(vendor: datetime) -> datetime:
    """The vendor's time, or ours where the vendor's clock is ahead of it.

    Coverage may not reach beyond our own clock: rows of that time are still to come. In whole seconds, as the vendor's
    is, so that a later pull with a right clock is never taken for an older one.
    """
    return min(vendor, datetime.now(UTC).replace(microsecond=0))


@dataclass(frozen=True)
class Pulled:
    """What a pull found out about its partition, besides the pages: see PartitionLoad."""

    as_of: datetime
    coverage: tuple[Interval, ...] = ()
    after: datetime | None = None
    whole: bool = False
    doubted: bool = False


Pull = Callable[[Intake], Pulled]


@dataclass(frozen=True)
class Arrival:
    """A partition that is pulled and waits for its commit."""

    intake: Intake
    pulled: Pulled

    @property
    def partition(self) -> str | None:
        return self.intake.partition

    def load(self) -> PartitionLoad:
        """What the commit is to record of it."""
        return PartitionLoad(
            self.partition,
            as_of=self.pulled.as_of,
            after=self.pulled.after,
            whole=self.pulled.whole,
            coverage=self.pulled.coverage,
            pages=len(self.intake.staged),
            bytes=self.intake.bytes,
            requests=self.intake.requests,
            seconds=time.monotonic() - self.intake.started,
            waited=self.intake.waited,
            doubted=self.pulled.doubted,
            replaced_characters=self.intake.replaced_characters,
        )
