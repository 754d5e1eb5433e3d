"""Reconciliation of a report's partitions with the vendor's own count of their whole range.

Here: the check `range_sum`, for figures that add up. It runs after every pull.
Keep out: pulls (pulling.py), which figures add up (endpoints.py).

The vendor changes past counts, so a difference may also mean that an old partition must be pulled again. The range is
therefore short: the last partitions that are over, which the schedule pulls again, and the week before.
"""

import itertools
import json
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.interrupts import uninterrupted
from orgdata_dagster.orchestration.assets.request_log import RequestLog
from orgdata_dagster.orchestration.automation.gaps import covered
from orgdata_dagster.orchestration.checks.results import not_yet, of_unanswered
from orgdata_dagster.orchestration.instance.pools import pool
from orgdata_dagster.orchestration.partitions import DAY, bounds
from orgdata_dagster.orchestration.resources import WarehouseResource
from orgdata_dagster.vendors.channel_reports.client import ChannelReportsClient
from orgdata_dagster.vendors.channel_reports.endpoints import Endpoint
from orgdata_dagster.vendors.channel_reports.resource import ChannelReportsResource
from orgdata_dagster.warehouse.commit.transaction import record_requests
from orgdata_dagster.warehouse.names import TableName, quoted
from orgdata_dagster.warehouse.storage.scratch import owned_folder

SUM_CHECK = "range_sum"
_REACH = 10 * DAY


def build_check(
    asset: dg.AssetsDefinition, endpoint: Endpoint, channels: tuple[int, ...]
) -> dg.AssetChecksDefinition:  # fmt: skip
    """Build the check of one report. It costs one request per channel."""
    key, partitions = asset.key, asset.partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    table = TableName(*key.path)

    @dg.asset_check(
        asset=key,
        name=SUM_CHECK,
        pool=pool(key.path[0]),
        required_resource_keys={key.path[0], "warehouse"},
        description=f"The partitions' {', '.join(endpoint.additive)} add up to the vendor's count of the whole range.",
    )
    @uninterrupted
    def range_sum(
        context: dg.AssetCheckExecutionContext,
    ) -> dg.AssetCheckResult:
        warehouse: WarehouseResource = context.resources.warehouse
        vendor: ChannelReportsResource = getattr(context.resources, key.path[0])
        whole = {
            name: parts
            for name, parts in covered(warehouse, [key])[key].items()
            if name
            and all(part.complete for part in parts)
            and max(p.end for p in parts) >= bounds(partitions, name)[1]
        }
        after = datetime.now(UTC) - _REACH
        ranges = sorted(bounds(partitions, name) for name in whole if bounds(partitions, name)[0] >= after)
        # only what follows the last gap: the table must have every partition of the range
        while any(one[1] != next_one[0] for one, next_one in itertools.pairwise(ranges)):
            ranges = ranges[1:]
        if not ranges:
            day = (datetime.now(UTC) - (_REACH - DAY)).date()
            why = "no partition of the last days that is over has landed; pull them: "
            pull = f"`orgdata pull {key.to_user_string()} --from {day}`"
            return dg.AssetCheckResult(passed=True, description=not_yet(f"{why}{pull}"))
        start, end = ranges[0][0], ranges[-1][1]
        requests = RequestLog()
        try:
            with vendor.client(requests) as client:
                vendor_counts = {channel: _count(client, endpoint, channel, start, end) for channel in channels}
        except VendorError as error:
            return of_unanswered(error)
        finally:
            record_requests(warehouse.open(), requests.take(), run_id=context.run.run_id)
        sums = ", ".join(f"coalesce(sum({quoted(name)}), 0)" for name in endpoint.additive)
        wrong, figures = [], dict.fromkeys(endpoint.additive, 0)
        with warehouse.open().reading() as connection:
            for channel, counts in vendor_counts.items():
                held = connection.execute(
                    f"SELECT {sums} FROM {table.sql} WHERE channel_id = ? AND start_date >= ? AND end_date <= ?",
                    [channel, start, end],
                ).fetchone()
                for name, value in zip(endpoint.additive, held or (), strict=True):
                    figures[name] += int(value)
                    if int(value) != counts[name]:
                        wrong.append(f"channel {channel}: {name} is {counts[name]}, the partitions have {value}")
        return dg.AssetCheckResult(
            passed=not wrong,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{start:%Y-%m-%d} to {end:%Y-%m-%d}: {'; '.join(wrong) or 'both counts are equal'}",
            metadata={"partitions": len(ranges), "different": len(wrong), **figures},
        )

    return range_sum


def _count(
    client: ChannelReportsClient, endpoint: Endpoint, channel: int, start: datetime, end: datetime
) -> dict[str, int]:
    """The vendor's additive figures of one channel for the whole range."""

    def read(download: Download) -> dict[str, int]:
        answer = json.loads(download.path.read_bytes())
        rows = answer if isinstance(answer, list) else [answer]
        return {name: sum(int(row.get(name) or 0) for row in rows) for name in endpoint.additive}

    with owned_folder(settings.staging()) as folder:
        into = folder / "range.json"
        return client.report(endpoint.name, channel, start, end, fields=endpoint.fields, into=into, read=read)
