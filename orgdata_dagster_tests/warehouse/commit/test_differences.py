"""The rows that a new load of a partition has added and removed, and the constants that are added to a page's rows."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.commit.differences import Difference
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster.warehouse.pages.extents import extent
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster_tests.warehouse.rig import DAY, NOON, Rig
from orgdata_dagster_tests.warehouses import fewer_on_a_lake

rows = st.lists(st.sampled_from(["1,a", "1,b", "2,a", "2,", '2,""']), max_size=5)


@settings(max_examples=fewer_on_a_lake(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=rows, after=rows)
def test_added_and_removed_rows_are_counted_with_duplicates(shared: Rig, before: list[str], after: list[str]) -> None:
    for body in (before, after):
        done = shared.land("\n".join(["id,name", *body, ""]))
    came, went = Counter(after) - Counter(before), Counter(before) - Counter(after)
    assert done.differences == {DAY: Difference(sum(came.values()), sum(went.values()))}


def test_a_new_partition_has_no_difference(rig: Rig) -> None:
    assert rig.land("id\n1\n").differences == {}
    assert rig.land("id\n1\n", partition="2026-03-02").differences == {}
    assert rig.land("id\n1\n3\n", partition="2026-03-02").differences == {"2026-03-02": Difference(1, 0)}
    assert rig.land("", partition=None, target=Target(TableName("acme", "other"))).differences == {}


def test_a_new_column_changes_rows_with_a_value_and_own_columns_change_none(rig: Rig) -> None:
    rig.land("id\n1\n2\n", run_id="one")
    assert rig.land("id\n1\n2\n", run_id="two").differences == {DAY: Difference()}
    assert rig.land("id,name\n1,\n2,x\n").differences == {DAY: Difference(1, 1)}


def test_rows_get_the_constants_of_their_page_unless_the_column_exists(rig: Rig) -> None:
    stage = Stage(rig.connection, declared={"channel": "BIGINT", "since": "DATE"})
    pages = [("id,channel\n1,7\n", "1", "2026-03-01"), ("id\n2\n3\n", "2", "2026-03-02"), ("id\n4\n", "3", "never")]
    for body, channel, since in pages:
        page, _ = extent(rig.connection, rig.file(body), None)
        stage.add(StagedPage(page, DAY, constants={"channel": channel, "since": since}))
    target = Target(TableName("acme", "counted"))
    commit(rig.warehouse, target, stage, [PartitionLoad(DAY, NOON)], run_id="run")
    assert rig.types(target) == {"id": "BIGINT", "channel": "BIGINT", "since": "DATE", "since__v_text": "VARCHAR"}
    assert rig.texts("id", target) == [
        ("1", "7", "2026-03-01", None),
        ("2", "2", "2026-03-02", None),
        ("3", "2", "2026-03-02", None),
        ("4", "3", None, "never"),
    ]
