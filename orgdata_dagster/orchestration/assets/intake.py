"""The result of a vendor's pull of one partition: pages, and the coverage that they prove.

Here: `Intake`, which receives the pages, and `Pulled`, the result of the pull.
Keep out: when and how the pages are committed (landing.py).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import duckdb

from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.readers import MeasuredPage, csv_reader, json_reader
from orgdata_dagster.warehouse.commit.ready_rows import ReadyRows
from orgdata_dagster.warehouse.commit.target import PartitionLoad
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.pages import json_pages
from orgdata_dagster.warehouse.pages.stage import StagedPage

ROOM = 16 << 20  # bytes

Read = Callable[[Download], MeasuredPage]
Stored = Callable[[Mapping[str, str], datetime | None], int]


def nothing_stored(_values: Mapping[str, str], _after: datetime | None) -> int:
    """`Intake.stored` of a table without rows."""
    return 0


class Room:
    """The memory for small pages of a run until they are committed. `limit`: in bytes; None: ROOM."""

    def __init__(self, limit: int | None = None) -> None:
        self._left = ROOM if limit is None else limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take this many bytes if there is room for them; returns whether there was."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Give bytes back that were taken."""
        with self._lock:
            self._left += size


@dataclass
class Intake:
    """Receives and counts the pages of one partition.

    partition: None for a table without partitions.
    area: folder of the run, which contains the partition's files.
    make: creates an empty table in memory for the rows.
    known: coverage of the partition before the pull.
    state: the table's state (warehouse/ledger/state.py).
    stored: returns the number of stored rows of the partition with these values in these columns (newest versions
        only); with an instant, only rows with a later cursor.
    accept_shrink: whether the user accepts that rows which are not sent again were deleted.
    shrunk: messages of the check `volume` about stored rows that were not sent again.
    one_by_one: whether requests must be sent one after the other.
    first_answer: the vendor's time at the first answer.
    watermark: the highest cursor value so far.
    room: memory for small pages, shared by the partitions of a run.
    in_memory: bytes of `room` that this partition has taken.
    """

    partition: str | None
    area: Path
    make: Callable[[], ReadyRows]
    known: tuple[Interval, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)
    stored: Stored = nothing_stored
    accept_shrink: bool = False
    one_by_one: bool = False
    bytes: int = 0
    requests: int = 0
    waited: float = 0.0
    replaced_characters: int = 0
    first_answer: datetime | None = None
    watermark: datetime | None = None
    shrunk: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)  # several threads may read pages
    room: Room = field(default_factory=Room)
    in_memory: int = 0

    @cached_property
    def ready(self) -> ReadyRows:
        """The rows of the staged pages."""
        return self.make()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """A connection for inspecting pages; each thread needs its own cursor."""
        return self.ready.stage.connection

    @property
    def staged(self) -> Sequence[StagedPage]:
        """The staged pages."""
        return self.ready.stage.pages

    @cached_property
    def folder(self) -> Path:
        """A folder for this partition, for a pull that names its page files itself."""
        return Path(tempfile.mkdtemp(dir=self.area))

    def file(self, name: str) -> Path:
        """The path for a page file. Partitions share a folder, because removing a folder takes longer than a commit."""
        return self.area / f"{self.partition}-{name}"

    def reader(self, cursor: str | None) -> Read:
        """A CSV reader for the client. It counts the cost of every page, also of pages that are not staged."""
        return self._counted(csv_reader(self.connection, cursor))

    def json_reader(
        self,
        *,
        cursor: str | None = None,
        records: str = json_pages.ARRAY,
        flatten: Collection[str] = (),
        expected: Collection[str] = (),
    ) -> Read:
        """Like `reader`, for JSON; see json_pages.prepare."""
        measure = json_reader(
            self.connection,
            cursor=cursor,
            records=records,
            flatten=flatten,
            expected=expected,
            key=self.ready.key,
            proven_later=True,
        )
        return self._counted(measure)

    def take(
        self,
        page: MeasuredPage,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        constants: Mapping[str, str] | None = None,
    ) -> None:
        """Stage a page. Only its rows with `after < cursor <= until` belong to the partition."""
        kept = page.count_within(after, until)
        self.ready.add(StagedPage(page.page, self.partition, after, until, kept, constants or {}))
        highest = next((at for at in page.extent.top if until is None or at <= until), None)
        if highest is not None:
            highest = min(highest, datetime.now(UTC))  # a row may be dated in the future, the watermark may not
            self.watermark = max(filter(None, (self.watermark, highest)))

    def take_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Stage a few rows that the client has extracted from an answer."""
        path = self.file(f"rows-{len(self.staged)}.json")
        path.write_text(json.dumps(rows))
        self.ready.add(StagedPage(json_pages.prepare(path, self.connection), self.partition))

    def count(self, download: Download) -> None:
        """Count the cost of a page that is not read by `reader` or `json_reader`."""
        with self.lock:
            self.bytes += download.bytes
            self.requests += download.attempts
            self.waited += download.waited
            self.replaced_characters += download.replaced_characters
            if self.first_answer is None and download.server_time is not None:
                self.first_answer = not_ahead(download.server_time)

    @property
    def row_count(self) -> int:
        """Number of staged rows that belong to the partition."""
        return sum(page.page.records if page.rows_within is None else page.rows_within for page in self.staged)

    def forget(self) -> None:
        """Discard the staged pages, so that they can be requested again."""
        self.ready.discard()
        self.ready.stage.discard()
        self.connection.close()
        del self.ready
        self.watermark = None
        self.room.give_back(self.in_memory)
        self.in_memory = 0

    def close(self) -> None:
        """Delete the pages after their commit, or if they will not be committed."""
        self.forget()
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _counted(self, measure: Read) -> Read:
        def read(download: Download) -> MeasuredPage:
            page = measure(self.kept(download))
            self.count(download)
            return page

        return read

    def kept(self, download: Download) -> Download:
        """The download, in a file if there is no room for it in memory."""
        if download.content is None:
            return download
        size = len(download.content)
        if self.room.take(size):
            with self.lock:
                self.in_memory += size
            return download
        download.path.write_bytes(download.content)
        return replace(download, content=None)


def not_ahead(vendor: datetime) -> datetime:
    """The vendor's time, or our own time if the vendor's clock is ahead.

    Coverage must not reach beyond our own clock, because rows may still arrive. Our time is rounded down to whole
    seconds like the vendor's, so that a later pull with a correct clock never counts as older.
    """
    return min(vendor, datetime.now(UTC).replace(microsecond=0))


@dataclass(frozen=True)
class Pulled:
    """The result of a pull except its pages. PartitionLoad explains the fields."""

    as_of: datetime
    coverage: tuple[Interval, ...] = ()
    after: datetime | None = None
    whole: bool = False
    contradicted: bool = False
    state: Mapping[str, str] = field(default_factory=dict)


Pull = Callable[[Intake], Pulled]


@dataclass(frozen=True)
class Arrival:
    """A partition that was pulled and is not committed yet."""

    intake: Intake
    pulled: Pulled

    @property
    def partition(self) -> str | None:
        return self.intake.partition

    def load(self) -> PartitionLoad:
        """The partition's load for the commit."""
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
            contradicted=self.pulled.contradicted,
            replaced_characters=self.intake.replaced_characters,
            state=self.pulled.state,
        )
