"""A dataset as octolis stores it: records that are found by deduplication keys, changed, merged and deleted.

Here: upsert, update and merge, the order of reading, and the true records to compare with.
Add here when: a test needs to change records in another way.
Keep out: HTTP (`api`, `writing`), the checks of a payload (`schema`), pages and formats (`query`, `export`).
"""

import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.octolis import problems
from orgdata_dagster.sandbox.octolis.columns import Column
from orgdata_dagster.sandbox.octolis.record import Record
from orgdata_dagster.sandbox.octolis.schema import Key, KeyIndex, Schema, Values


@dataclass(frozen=True)
class Written:
    """A record after a write, and the protected columns whose values were ignored."""

    record: dict[str, Any]
    protected: list[str]


class Dataset:
    """Records with deduplication keys. Thread-safe.

    keys: each has one or several columns. Every record has all values of at least one key.
    read_only: whether it is a SQL dataset: the API refuses writes, but Python can change it.
    stable_ties: whether records with the same `__modified_at__` are in the same order at each request.
    """

    def __init__(
        self,
        dataset_id: str,
        columns: Iterable[Column],
        keys: Sequence[Key],
        *,
        read_only: bool = False,
        stable_ties: bool = True,
        now: Callable[[], datetime] = instants.utc_now,
    ) -> None:
        self.id = dataset_id
        self.schema = Schema(columns, keys)
        self.read_only = read_only
        self.stable_ties = stable_ties
        self.now = now
        self._records: dict[str, Record] = {}
        self._index = KeyIndex(keys)
        self._serials = itertools.count(1)
        self._ordered: list[Record] | None = None  # newest first; None: not sorted yet
        self._busy_until = 0.0
        self._random = random.Random(dataset_id)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns by their names."""
        return self.schema.columns

    def upsert(self, payload: Values, at: datetime | None = None) -> Written:
        """Create the record with this payload's keys or change it. If several records have them, merge these first.

        at: the new `__modified_at__`.

        Raises Problem; then nothing has changed.
        """
        with self._lock:
            accepted, protected = self.schema.accept(payload, "upsertion")
            moment = self._moment(at)
            found = self._index.owners(accepted)
            if found:
                record = self._merge(found) if len(found) > 1 else found[0]
                self._change(record, accepted, moment)
            else:
                record = self._create(accepted, moment)
            return Written(record.base(), protected)

    def update(self, masterid: str, payload: Values, at: datetime | None = None, *, touch: bool = True) -> Written:
        """Change a record.

        touch: whether it gets a new `__modified_at__`; records of SQL datasets may not.

        Raises Problem if there is no such record, a value is wrong, or another record has a key.
        """
        with self._lock:
            record = self._find(masterid)
            accepted, protected = self.schema.accept(payload, "update")
            future = {**record.values, **accepted}
            self.schema.need_a_key(future, "update")
            if key := self._index.taken(record, future):
                raise problems.not_unique(payload, key)
            self._change(record, accepted, self._moment(at) if touch else record.modified)
            return Written(record.base(), protected)

    def merge(self, *masterids: str, at: datetime | None = None) -> str:
        """Merge records into the oldest; returns its masterid. Raises Problem if one is unknown."""
        with self._lock:
            record = self._merge([self._find(masterid) for masterid in dict.fromkeys(masterids)])
            self._change(record, {}, self._moment(at))
            return record.masterid

    def delete(self, masterid: str) -> None:
        """Remove a record. Raises Problem if there is none."""
        with self._lock:
            self._take(self._find(masterid))

    def get(self, masterid: str) -> Record:
        """The record. Raises Problem if there is none, or if it was merged into another."""
        with self._lock:
            return self._find(masterid)

    def newest_first(self) -> Sequence[Record]:
        """All records by `__modified_at__`, newest first; in a tie, the one created last is first."""
        with self._lock:
            if self._ordered is None:
                self._ordered = sorted(self._records.values(), key=lambda r: (r.modified, r.serial), reverse=True)
            if self.stable_ties:
                return self._ordered
            return sorted(self._ordered, key=lambda r: (r.modified, self._random.random()), reverse=True)

    def truth(self) -> list[dict[str, Any]]:
        """Every record as reads return it, in the order of creation."""
        with self._lock:
            return [record.public() for record in sorted(self._records.values(), key=lambda r: r.serial)]

    def busy(self, seconds: float) -> None:
        """Answer every write with 423 for this number of seconds from now; 0 ends this."""
        self._busy_until = time.monotonic() + seconds

    @property
    def is_busy(self) -> bool:
        """Whether writes are answered with 423."""
        return time.monotonic() < self._busy_until

    def _create(self, accepted: Values, moment: int) -> Record:
        masterid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        written = self._moment()
        defaults = {name: column.default for name, column in self.columns.items()}
        record = Record(next(self._serials), masterid, {**defaults, **accepted}, moment, written, written)
        self._put(record)
        return record

    def _change(self, record: Record, accepted: Values, moment: int) -> None:
        self._take(record)
        record.values = {**record.values, **accepted}
        record.modified, record.updated = moment, self._moment()
        self._put(record)

    def _merge(self, records: Sequence[Record]) -> Record:
        """Merge into the oldest record; values that it lacks come from the others, oldest first."""
        oldest, *others = sorted(records, key=lambda record: (record.created, record.serial))
        for record in records:
            self._take(record)
        for other in others:
            oldest.values = {n: other.values[n] if value is None else value for n, value in oldest.values.items()}
            oldest.merged += (other.masterid, *other.merged)
        self._put(oldest)
        return oldest

    def _put(self, record: Record) -> None:
        record.forget_json()
        self._records[record.masterid] = record
        self._index.add(record)
        self._ordered = None

    def _take(self, record: Record) -> None:
        del self._records[record.masterid]
        self._index.remove(record)
        self._ordered = None

    def _find(self, masterid: str) -> Record:
        if masterid not in self._records:
            raise problems.not_found(f"Record {masterid}")
        return self._records[masterid]

    def _moment(self, at: datetime | None = None) -> int:
        """An instant in whole milliseconds, the precision of octolis."""
        return instants.from_datetime(at or self.now()) // 1000 * 1000
