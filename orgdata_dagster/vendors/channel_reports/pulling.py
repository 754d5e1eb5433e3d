"""One pull of a report's partition: one request per channel, and per field if the report is by field.

Here: `pull_partition`, `pull_fields`, `Fields`. Keep out: streams (component.py), requests (client.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from orgdata_dagster.orchestration.assets.contradictions import (
    REPETITIONS,
    contradiction,
    keep_stored,
    shrank,
    until_accepted,
)
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.vendors.channel_reports.client import ChannelReportsClient, FormField, instant
from orgdata_dagster.vendors.channel_reports.endpoints import Endpoint
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval, intervals
from orgdata_dagster.warehouse.pages.json_bundles import SMALL
from orgdata_dagster.warehouse.pages.json_pages import ARRAY, OBJECT, JsonPage

Bounds = tuple[datetime, datetime]
SECOND = timedelta(seconds=1)


class Fields:
    """The fields for which a run requests selections: those in `field_ids`, or else those in the Forms API.

    The Forms API is read once per run and channel.
    """

    def __init__(self, client: ChannelReportsClient, listed: Sequence[int]) -> None:
        self._client = client
        self._listed = listed
        self._lock = threading.Lock()
        self._known: dict[int, list[FormField]] = {}

    def of(self, channel_id: int, intake: Intake) -> list[FormField]:
        """The fields of a channel whose selections the vendor counts."""
        if self._listed:
            return [FormField.listed(channel_id, field_id) for field_id in self._listed]
        with self._lock:
            if channel_id not in self._known:
                into = intake.file(f"forms-{channel_id}.json")
                fields = self._client.form_fields(channel_id, into=into, count=intake.count)
                self._known[channel_id] = [field for field in fields if field.counted]
            return self._known[channel_id]


def pull_partition(
    client: ChannelReportsClient,
    endpoint: Endpoint,
    channels: Sequence[int],
    fields: Fields,
    intake: Intake,
    bounds: Bounds,
) -> Pulled:
    """Pull a report for all channels. A partition that is not over is complete up to the vendor's current time.

    bounds: the partition, `[start, end)`.
    """
    start, end = bounds
    began = datetime.now(UTC)
    read = intake.json_reader(
        records=OBJECT if endpoint.one_object else ARRAY, flatten=endpoint.flatten, expected=endpoint.columns
    )
    end_known = min(end, began)
    for channel_id in channels:
        constants = {"channel_id": str(channel_id), "start_date": instant(start), "end_date": instant(end)}
        for field in fields.of(channel_id, intake) if endpoint.by_field else (None,):
            about = {"channel_id": str(channel_id), **({"field_id": str(field.field_id)} if field else {})}
            odd: str | None = None
            for _ in range(1 + REPETITIONS):
                page = client.report(
                    endpoint.name,
                    channel_id,
                    start,
                    end,
                    fields=endpoint.fields,
                    field=field,
                    into=intake.file(f"{channel_id}-{field.field_id if field else 0}.json"),
                    small=SMALL,
                    read=read,
                )
                reason = contradiction(intake, page.records, about) or _fell_to_zero(intake, endpoint, page, about)
                before, odd = odd, shrank(intake, page.records, about)
                if reason is None and (odd is None or odd == before):
                    break
            intake.shrunk += [odd] if odd else []
            if reason is not None:
                return keep_stored(intake.first_answer or began, start, max(end_known, start + SECOND), reason)
            intake.take(page, constants=constants)
    as_of = intake.first_answer or began
    return Pulled(as_of, intervals(start, min(end, as_of), ()))


def _fell_to_zero(intake: Intake, endpoint: Endpoint, page: MeasuredPage, about: Mapping[str, str]) -> str | None:
    """Why a report of one object is not accepted, if counts fell to 0; an empty report looks like that."""
    if not endpoint.one_object or not intake.known or intake.accept_shrink:
        return None
    assert isinstance(page.page, JsonPage)
    [record] = json.loads(page.page.array)
    stored = intake.stored(about, None)
    fell = [
        name
        for name in endpoint.columns
        if record.get(name) == 0 and stored > intake.stored({**about, name: "0"}, None)
    ]
    if not fell:
        return None
    zeros = f"0 {', '.join(fell)} for channel {about['channel_id']}"
    return until_accepted(f"the vendor answers with {zeros} where more was stored, also when asked again")


def pull_fields(client: ChannelReportsClient, channels: Sequence[int], intake: Intake) -> Pulled:
    """Pull the fields of all forms of all channels."""
    began = datetime.now(UTC)
    for channel_id in channels:
        fields = client.form_fields(channel_id, into=intake.file(f"forms-{channel_id}.json"), count=intake.count)
        intake.take_rows([asdict(field) for field in fields])
    as_of = intake.first_answer or began
    return Pulled(as_of, coverage=(Interval(EVER, as_of),))  # the Forms API always lists all forms
