"""`orgdata metrics`: the state of tables, vendors and runs as OpenMetrics text, for Prometheus and others.

Here: the metrics and their text. Keep out: OpenTelemetry (orchestration/telemetry.py), the figures themselves
(overview/, warehouse/ledger/measures.py).

All metrics are gauges, of now or of the last 24 hours. The ledger is pruned, so it cannot provide counters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orgdata_dagster import settings
from orgdata_dagster.cli import current_outline
from orgdata_dagster.orchestration import opening
from orgdata_dagster.overview import rate_limit_use
from orgdata_dagster.overview.checks import failing as failing_checks
from orgdata_dagster.overview.table_statuses import table_statuses
from orgdata_dagster.warehouse.ledger import measures

_DAY = timedelta(days=1)


@dataclass
class Metric:
    """A metric.

    unit: the last part of its name; empty if it has none.
    samples: pairs of labels and value.
    """

    name: str
    help: str
    unit: str = ""
    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)

    def add(self, value: float | None, **labels: str) -> None:
        """Add a sample; None adds nothing."""
        if value is not None:
            self.samples.append((labels, float(value)))

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        samples = [{"labels": labels, "value": value} for labels, value in self.samples]
        return {"name": self.name, "help": self.help, "unit": self.unit, "samples": samples}


def collect(now: datetime | None = None) -> list[Metric]:
    """All metrics. Raises UserError, WarehouseError or StateUnavailable if something cannot be read."""
    outline, now = current_outline.outline(), now or datetime.now(UTC)
    return [*_tables(outline, now), *_limits(outline), *_ledger(now), *_checks(outline), _queue()]


def _tables(outline: Any, now: datetime) -> Iterator[Metric]:
    lag = Metric("orgdata_coverage_lag_seconds", "Time since the end of the table's last complete interval.", "seconds")
    until = Metric("orgdata_complete_until_timestamp_seconds", "End of the last complete interval.", "seconds")
    gaps = Metric("orgdata_gaps", "Partitions that are missing or incomplete.")
    rows = Metric("orgdata_table_rows", "Rows in the table.")
    for each in table_statuses(outline):
        vendor, _, table = each.table.partition(".")
        labels = {"vendor": vendor, "table": table}
        if each.complete_until is not None:
            lag.add(max(0.0, (now - each.complete_until).total_seconds()), **labels)
            until.add(each.complete_until.timestamp(), **labels)
        gaps.add(len({*each.missing_partitions, *each.incomplete}), **labels)
        rows.add(each.rows, **labels)
    yield from (lag, until, gaps, rows)


def _limits(outline: Any) -> Iterator[Metric]:
    used = Metric("orgdata_rate_limit_used_ratio", "Used share of a window of the rate limit.", "ratio")
    for each in rate_limit_use.rate_limits(outline):
        # a vendor may have two limits over the same time, such as one per key and one per account
        window = {"window_seconds": f"{each['seconds']:g}", "points": f"{each['points']:g}"}
        used.add(each["spent"] / each["points"], vendor=each["vendor"], **window)
    yield used
    paused = Metric(
        "orgdata_vendor_paused",
        "1 if no request is sent now, because the vendor asked for a pause or refused the credentials.",
    )
    pauses = {each.vendor for each in rate_limit_use.paused(outline)}
    for vendor in outline.vendors:
        paused.add(vendor.name in pauses, vendor=vendor.name)
    yield paused


def _ledger(now: datetime) -> Iterator[Metric]:
    requests = Metric("orgdata_requests_last_day", "Requests of the last 24 hours, by HTTP status (none: no answer).")
    waits = Metric("orgdata_waits_last_day_seconds", "Time that these requests waited for the rate limit.", "seconds")
    landed = Metric("orgdata_rows_landed_last_day", "Rows that were committed in the last 24 hours.")
    commit = Metric("orgdata_commit_seconds", "Duration of the table's last commit under the write lock.", "seconds")
    warehouse = opening.warehouse()
    if warehouse.exists:
        with warehouse.reading() as connection:
            found = measures.measure(connection, now - _DAY)
        for vendor, status, count, waited in found.requests:
            requests.add(count, vendor=vendor, status=str(status) if status is not None else "none")
            waits.add(waited, vendor=vendor, status=str(status) if status is not None else "none")
        for vendor, table, count, seconds in found.loads:
            landed.add(count, vendor=vendor, table=table)
            commit.add(seconds, vendor=vendor, table=table)
    yield from (requests, waits, landed, commit)


def _checks(outline: Any) -> Iterator[Metric]:
    failing = Metric("orgdata_check_failing", "1 for each check whose last result is a failure.")
    for each in failing_checks(outline):
        failing.add(1, asset=each.asset, check=each.check, severity="error" if each.error else "warning")
    yield failing


def _queue() -> Metric:
    """The runs that have not ended. Only this metric needs Dagster, whose import takes a second."""
    runs = Metric("orgdata_runs", "Runs that have not ended, by status.")
    folder = settings.dagster_home()
    if (folder / "dagster.yaml").exists():
        import dagster as dg

        from orgdata_dagster.orchestration.instance.setup import shared_instance

        with shared_instance() as instance:
            for status in (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED):
                runs.add(instance.get_runs_count(dg.RunsFilter(statuses=[status])), status=status.value.lower())
    return runs


def text(metrics: Sequence[Metric]) -> str:
    """The metrics as OpenMetrics text."""
    return "".join(line + "\n" for metric in metrics for line in _lines(metric)) + "# EOF\n"


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# TYPE {metric.name} gauge"
    if metric.unit:
        yield f"# UNIT {metric.name} {metric.unit}"
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    for labels, value in metric.samples:
        shown = ",".join(f'{name}="{_escaped(each)}"' for name, each in labels.items())
        yield f"{metric.name}{{{shown}}} {_number(value)}"


def _number(value: float) -> str:
    """The shortest text that is read as this number."""
    return repr(value).removesuffix(".0")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
