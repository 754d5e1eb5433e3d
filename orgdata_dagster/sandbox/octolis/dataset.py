"""A dataset as octolis holds it: records found by deduplication keys, changed, merged and deleted.

Here: what upsert, update and merge do, the order of reading, and the truth to compare with.
Add here when: records must change in a way tests cannot yet make them.
Keep out: HTTP (`api`, `writing`), what a payload may hold (`schema`), pages and formats (`query`, `export`).
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
    """A record as a write leaves it, and the columns sent in vain because they are protected."""

    record: dict[str, Any]
    protected: list[str]


class Dataset:
    """Records with deduplication `keys`, each of one or several columns; every record has at least one of them whole.

    A `read_only` one is a SQL dataset: the API refuses writes, Python does not. `stable_ties=False` gives records
    of one `__modified_at__` in another order at each request. Thread-safe.
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
        self._ordered: list[Record] | None = None  # newest first; None: to be sorted again
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
        """Create the record with this payload's keys, change it, or merge those that have them and change the result.

        `at` is its `__modified_at__`. Raises Problem, and then nothing has changed.
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
        """Change a record; without `touch` it keeps its `__modified_at__`, as happens in SQL datasets.

        Raises Problem where there is no such record, a value is wrong or a key is another record's.
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
        """Merge records into the oldest of them; its masterid. Raises Problem where one is unknown."""
        with self._lock:
            record = self._merge([self._find(masterid) for masterid in dict.fromkeys(masterids)])
            self._change(record, {}, self._moment(at))
            return record.masterid

    def delete(self, masterid: str) -> None:
        """Remove a record without a trace. Raises Problem where there is none."""
        with self._lock:
            self._take(self._find(masterid))

    def get(self, masterid: str) -> Record:
        """The record. Raises Problem where there is none, one that went into another included."""
        with self._lock:
            return self._find(masterid)

    def newest_first(self) -> Sequence[Record]:
        """All records by `__modified_at__`; of those that share one, the last created comes first."""
        with self._lock:
            if self._ordered is None:
                self._ordered = sorted(self._records.values(), key=lambda r: (r.modified, r.serial), reverse=True)
            if self.stable_ties:
                return self._ordered
            return sorted(self._ordered, key=lambda r: (r.modified, self._random.random()), reverse=True)

    def truth(self) -> list[dict[str, Any]]:
        """Every record as it is read, in the order of creation."""
        with self._lock:
            return [record.public() for record in sorted(self._records.values(), key=lambda r: r.serial)]

    def busy(self, seconds: float) -> None:
        """Answer every write with 423 for so long, from now; 0 ends it."""
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
        """The oldest survives; what it lacks comes from the others, older before newer."""
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
        """Octolis tells milliseconds and no more."""
        return instants.from_datetime(at or self.now()) // 1000 * 1000
