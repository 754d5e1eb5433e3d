"""Whatever a vendor answers, a table equals the truth, or the coverage says that it is incomplete.

The vendors of `make soak` over real HTTP, with faults at random places, for once or from then on, and clocks that are
wrong. Tables that hold the truth are pulled again, so that an answer can lose rows and delete stored ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.outside.five_vendors import five_vendors
from benchmarks.outside.truth import Difference, compare, load
from orgdata_dagster import settings as app
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.faults import Empty, ErrorBody, Fault, Html, Reset, ShortBody, Status
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.rest import pulling
from orgdata_dagster_tests.examples import examples
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

TABLES = [
    "institution_analytics.events", "accutics.submissions", "accutics.records", "octolis.contacts",
    "channel_reports.reports_per_user", "channel_reports.reports_read", "together.users",
]  # fmt: skip
FAULTS: list[Fault] = [
    Empty("bytes"), Empty("rows"), Empty("totals"), ErrorBody(), Html(), ShortBody(), Reset(), Status(500), Status(404),
]  # fmt: skip
CLOCKS = [0, 0, 120, 86_400, -3_600]  # seconds ahead
FOR_GOOD = 10_000  # requests

Played = Sequence[tuple[Fault, int, int]]
PLAYED = st.lists(
    st.tuples(st.sampled_from(FAULTS), st.integers(0, 9), st.sampled_from([1, 1, 2, FOR_GOOD])), min_size=1, max_size=3
)


class Project:
    """The vendors, a home whose project pulls them, and the truth."""

    def __init__(self, home: Home, folder: Path) -> None:
        world = five_vendors(rows=120)
        world.write(folder)
        home.write_project(
            **{vendor: yaml.safe_dump(json.loads(json.dumps(text))) for vendor, text in world.defs.items()}
        )
        self.sandbox = Sandbox(*world.vendors)
        self._home, self._folder, self._days = home, folder, [str(day) for day in world.days]
        self._vendors = {vendor.name: vendor for vendor in world.vendors}
        self._tables = {table.name: table for table in load(folder / "tables.json")}
        self._first = dict[str, Difference]()

    def first_pull(self, table: str) -> Difference:
        """Pull a table for the first time, unless that was done already."""
        if table not in self._first:
            self._first[table] = self.pull(table)
            assert self._first[table].truth > 3
            assert not self._first[table].missing
        return self._first[table]

    def pull(self, table: str, played: Played = (), clock: float = 0) -> Difference:
        """Pull a table while its vendor plays faults, each as `(fault, after, times)`; returns the differences
        afterwards."""
        vendor = self._vendors[table.partition(".")[0]]
        for fault, after, times in played:
            vendor.faults.add(fault, times, after)
        vendor.clock_ahead = clock
        try:
            # together has no days before its first snapshot
            days = [today()] if vendor.name == "together" else self._days
            done = self._home.materialize(table.replace(".", "/"), *days)
        finally:
            vendor.faults.clear()
            vendor.clock_ahead = 0
        wanted = [self._tables[table]]
        return compare(Path(app.warehouse_uri()), wanted, self._folder, ended_well=done.success)[table]


@pytest.fixture
def project(home: Home, tmp_path: Path) -> Iterator[Project]:
    made = Project(home, tmp_path / "truth")
    with made.sandbox as sandbox:
        home.set(**environment(sandbox.url))
        yield made


@settings(
    max_examples=examples(3), phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=st.sampled_from(TABLES), played=PLAYED, clock=st.sampled_from(CLOCKS))
def test_the_table_equals_the_truth_or_is_called_incomplete(
    project: Project, table: str, played: Played, clock: float
) -> None:
    assert not project.first_pull(table).wrong
    found = project.pull(table, played, clock)
    assert not found.wrong, found


def test_a_pull_that_trusts_an_empty_answer_fails_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "contradiction", lambda *_, **__: None)
    assert not project.first_pull("accutics.submissions").wrong
    assert project.pull("accutics.submissions", [(Empty("totals"), 0, FOR_GOOD)]).lost
