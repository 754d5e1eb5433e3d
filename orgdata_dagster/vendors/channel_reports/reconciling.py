"""Reconciliation of a report's partitions with the vendor's own count of their whole range.

Here: the check `range_sum`, for figures that add up. It runs after every pull.
Keep out: pulls (pulling.py), which figures add up (endpoints.py).

The vendor changes past counts, so a difference may also mean that an old partition must be pulled again. The range is
therefore short: the last partitions that are over, which the schedule pulls again, and the week before.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.automation.gaps import Coverage
from orgdata_dagster.orchestration.checks.results import not_yet
from orgdata_dagster.orchestration.partitions import DAY, bounds
from orgdata_dagster.vendors.base.reconciliation import Reconciliation
from orgdata_dagster.vendors.channel_reports.client import ChannelReportsClient
from orgdata_dagster.vendors.channel_reports.endpoints import Endpoint
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.connection import Warehouse
from orgdata_dagster.warehouse.storage.scratch import owned_folder

SUM_CHECK = "range_sum"
_REACH = 10 * DAY


@dataclass(frozen=True)
class RangeSum:
    """The comparison of one report. It costs one request per channel."""

    table: TableName
    partitions: dg.TimeWindowPartitionsDefinition
    endpoint: Endpoint
    channels: Sequence[int]

    def reconciliation(self) -> Reconciliation:
        """The same as a check of the asset."""
        figures = ", ".join(self.endpoint.additive)
        return Reconciliation(
            SUM_CHECK, f"The partitions' {figures} add up to the vendor's count of the whole range.", self.compare
        )

    def compare(self, client: ChannelReportsClient, warehouse: Warehouse, known: Coverage) -> dg.AssetCheckResult:
        """Compare the partitions that are over with the vendor's count of their whole range."""
        ranges = self._ranges(known)
        if not ranges:
            day = (datetime.now(UTC) - (_REACH - DAY)).date()
            why = "no partition of the last days that is over has landed; pull them: "
            pull = f"`orgdata pull {self.table.schema}/{self.table.name} --from {day}`"
            return dg.AssetCheckResult(passed=True, description=not_yet(f"{why}{pull}"))
        start, end, names = ranges[0][0], ranges[-1][1], self.endpoint.additive
        counted = {channel: _count(client, self.endpoint, channel, start, end) for channel in self.channels}
        sums = ", ".join(f"coalesce(sum({quoted(name)}), 0)" for name in names)
        wrong, figures = [], dict.fromkeys(names, 0)
        with warehouse.reading() as connection:
            for channel, counts in counted.items():
                held = connection.execute(
                    f"SELECT {sums} FROM {self.table.sql} WHERE channel_id = ? AND start_date >= ? AND end_date <= ?",
                    [channel, start, end],
                ).fetchone()
                for name, value in zip(names, held or (), strict=True):
                    figures[name] += int(value)
                    if int(value) != counts[name]:
                        wrong.append(f"channel {channel}: {name} is {counts[name]}, the partitions have {value}")
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{start:%Y-%m-%d} to {end:%Y-%m-%d}: {'; '.join(wrong) or 'both counts are equal'}",
            metadata={"partitions": len(ranges), "different": len(wrong), **figures},
        )

    def _ranges(self, known: Coverage) -> list[tuple[datetime, datetime]]:
        """The last partitions that are over and complete, without a gap between them."""
        after = datetime.now(UTC) - _REACH
        ranges = []
        for name, parts in known.items():
            if name and all(part.complete for part in parts):
                start, end = bounds(self.partitions, name)
                ranges += [(start, end)] if start >= after and max(part.end for part in parts) >= end else []
        ranges.sort()
        while any(one[1] != next_one[0] for one, next_one in itertools.pairwise(ranges)):
            ranges = ranges[1:]
        return ranges


def _count(
    client: ChannelReportsClient, endpoint: Endpoint, channel: int, start: datetime, end: datetime
) -> dict[str, int]:
    """The vendor's additive figures of one channel for the whole range."""

    def read(download: Download) -> dict[str, int]:
        try:
            answer = json.loads(download.path.read_bytes())
            rows = answer if isinstance(answer, list) else [answer]
            return {name: sum(int(row.get(name) or 0) for row in rows) for name in endpoint.additive}
        except (ValueError, RecursionError, AttributeError, TypeError) as error:
            raise BadBody(f"the answer is not a report: {error}") from None

    with owned_folder(settings.staging()) as folder:
        into = folder / "range.json"
        return client.report(endpoint.name, channel, start, end, fields=endpoint.fields, into=into, read=read)
