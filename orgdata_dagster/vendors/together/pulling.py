"""One pull of a report: a snapshot of the vendor's current state.

Here: the pull. Keep out: YAML (component.py), requests (client.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.partitions import DAY
from orgdata_dagster.vendors.together.client import TogetherClient
from orgdata_dagster.warehouse.ledger.intervals import Interval


def pull_now(client: TogetherClient, table: str, intake: Intake) -> Pulled:
    """Pull the whole report. It is complete up to the vendor's time of the answer."""
    began = datetime.now(UTC)
    intake.take(client.report(table, into=intake.file(f"{table}.csv"), read=intake.reader(None)))
    as_of = intake.first_answer or began
    return Pulled(as_of, coverage=(Interval(as_of - DAY, as_of),))
