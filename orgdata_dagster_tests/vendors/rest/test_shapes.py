"""Six shapes of well-known APIs, written in YAML and pulled over HTTP: the table equals the vendor's list."""

from __future__ import annotations

import io
import random

import dagster as dg
import pytest
from rich.console import Console

from orgdata_dagster.cli.status_report import show_tables
from orgdata_dagster.http.rest.walk import NOT_PROVEN, UNPROVEN
from orgdata_dagster.overview.outline import Outline
from orgdata_dagster.overview.table_statuses import table_statuses
from orgdata_dagster.sandbox.faults import Empty, Html, Reset, ShortBody, Status
from orgdata_dagster.sandbox.tracker import SeenRequest
from orgdata_dagster_tests.vendors.rest.rig import Rig, lines
from orgdata_dagster_tests.vendors.rest.shapes import ISSUES, SHAPES

ALL = pytest.mark.parametrize("name", list(SHAPES))


@ALL
def test_the_table_equals_the_list_before_and_after_it_changed(rig: Rig, name: str) -> None:
    shape = SHAPES[name]
    assert 10 <= lines(shape) <= 30
    assert rig.pull(shape, name).success
    assert rig.table(name) == rig.truth(name)
    assert set(rig.coverage(name)) == {None}
    rows = rig.vendor.lists[name]
    for number in (1, 30, 70):
        rows.touch(number, title="changed")
    rows.insert(title="new", project=1, points=1)
    if name not in ("links", "tickets", "contacts"):  # those tell only what changed, not what is gone
        rows.delete(5)
    assert rig.pull(shape, name).success
    assert rig.table(name) == rig.truth(name)


@ALL
def test_faults_cost_requests_and_no_rows(rig: Rig, name: str) -> None:
    for at, fault in enumerate((Status(503), Html(), ShortBody(), Reset(part=0.5), Status(429, retry_after=0))):
        rig.vendor.faults.add(fault, after=at % 2)
    assert rig.pull(SHAPES[name], name).success
    assert rig.table(name) == rig.truth(name)


@pytest.mark.parametrize("name", ["links", "charges", "contacts", "orders"])
def test_an_empty_answer_within_the_list_loses_no_row(rig: Rig, name: str) -> None:
    rig.vendor.faults.add(Empty("rows"), after=1)
    assert rig.pull(SHAPES[name], name).success
    assert rig.table(name) == rig.truth(name) or any(rig.coverage(name))


@ALL
def test_rows_that_move_while_they_are_read_are_there_or_a_gap_is_reported(rig: Rig, name: str) -> None:
    rows, chance = rig.vendor.lists[name], random.Random(7)
    still = set(range(1, 71))

    def churn(asked: SeenRequest) -> None:
        if asked.number <= 4:
            number = chance.choice(sorted(still))
            still.discard(number)
            rows.touch(number, title="moved")

    rig.vendor.on_request = churn
    assert rig.pull(SHAPES[name], name).success
    table, truth = rig.table(name), rig.truth(name)
    missing = {number for number in still if table.get(number) != truth[number]}
    assert not missing or any(rig.coverage(name)), missing
    rig.vendor.on_request = None
    assert rig.pull(SHAPES[name], name).success
    assert rig.table(name) == rig.truth(name)


@pytest.mark.parametrize(
    ("name", "proof"),
    [
        ("links", "two walks agree"),
        ("charges", "end of list reached"),
        ("contacts", "the total matches"),
        ("orders", "two walks agree"),
    ],
)
def test_the_proof_of_completeness_is_stored_with_the_coverage(rig: Rig, name: str, proof: str) -> None:
    done = rig.pull(SHAPES[name], name)
    assert rig.sql(f"SELECT proof, complete FROM _orgdata.coverage WHERE table_name = '{name}'") == [(proof, True)]
    said = NOT_PROVEN if proof == UNPROVEN else None
    [check] = [each for each in done.get_asset_check_evaluations() if each.check_name == "coverage"]
    assert (check.passed, check.description) == (True, said)
    [landed] = done.asset_materializations_for_node(f"tracker__{name}")
    assert landed.metadata.get("proof") == (said and dg.MetadataValue.text(said))
    printed = io.StringIO()
    show_tables(Console(file=printed, width=200), table_statuses(Outline({}, ())))
    assert (f"{NOT_PROVEN}: tracker.{name}" in printed.getvalue()) is (said is not None)


def test_a_list_per_row_of_another_table_lands_in_days(rig: Rig) -> None:
    assert rig.pull(ISSUES, "projects", "issues").success
    assert rig.table("issues") == rig.truth("issues")
    assert rig.sql(
        "SELECT count(*) FROM tracker.issues WHERE _orgdata_partition <> strftime(updated_at, '%Y-%m-%d')"
    ) == [(0,)]
