"""What `make bench` makes of its runs, and that its bare loop reads everything once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.bench import bare, report
from benchmarks.bench.report import Run
from benchmarks.bench.workloads import BARE, ORGDATA, workloads
from benchmarks.outside import five_vendors, many_rows
from orgdata_dagster.sandbox.institution_analytics import bulk
from orgdata_dagster.sandbox.server import Sandbox


def run(who: str, seconds: float, **others: int) -> Run:
    return Run("work", who, seconds, 1.0, 50_000_000, 7, **{"wrong": 0, **others})  # type: ignore[arg-type]


def test_factors_are_those_of_each_round_and_wrong_rows_add_up() -> None:
    runs = [
        run(BARE, 2),
        run(ORGDATA, 4),
        run(BARE, 1),
        run(ORGDATA, 3, wrong=2),
        run(BARE, 2),
        run(ORGDATA, 5, wrong=1),
    ]
    line = [cell.strip() for cell in report.text(runs).splitlines()[3].split("|")[1:-1]]
    assert line == ["work", ORGDATA, "4.00", "3.00-5.00", "2.50", "2.00-3.00", "1.0", "50", "7", "3"]


def test_a_run_that_failed_is_called_so() -> None:
    assert report.text([run(ORGDATA, 4, failed=True)]).splitlines()[2].split("|")[-2].strip() == "failed"


def test_every_workload_has_a_world() -> None:
    assert {each.builder for each in workloads()} <= set(many_rows.BUILDERS) | set(five_vendors.BUILDERS)


def test_the_bare_loop_reads_every_row_once(tmp_path: Path) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = str(midnight.date() - timedelta(days=1))
    with Sandbox(bulk(500, page_rows=120, days=1, now=lambda: midnight - timedelta(microseconds=1))) as sandbox:
        bare.csv(sandbox.url, tmp_path, yesterday, yesterday, ["events"])
    with duckdb.connect(str(tmp_path / "bare.duckdb")) as connection:
        assert connection.execute("SELECT count(*), count(DISTINCT id) FROM events").fetchall() == [(500, 500)]
