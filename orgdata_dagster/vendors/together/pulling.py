"""One pull of a report: a snapshot of the vendor's current state.

Here: the pull. Keep out: YAML (component.py), requests (client.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.assets.readers import MeasuredPage
from orgdata_dagster.orchestration.partitions import DAY
from orgdata_dagster.vendors.together.client import TogetherClient
from orgdata_dagster.warehouse.ledger.intervals import Interval


def pull_now(client: TogetherClient, table: str, intake: Intake) -> Pulled:
    """Pull the whole report. It is complete up to the vendor's time of the answer.

    Raises the errors of HttpClient.fetch.
    """
    began = datetime.now(UTC)
    measure = intake.reader(None)

    def read(download: Download) -> MeasuredPage:
        page = measure(download)
        if len(page.page.columns) < 2:  # a text in place of a report looks like a CSV with one column
            raise BadBody(f"the report has no column but {excerpt(', '.join(page.page.columns), 100)!r}")
        return page

    intake.take(client.report(table, into=intake.file(f"{table}.csv"), read=read))
    as_of = intake.first_answer or began
    return Pulled(as_of, coverage=(Interval(as_of - DAY, as_of),))
