"""Which runs continue another one, and from which instant: Dagster's retries and `orgdata pull --resume`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from orgdata_dagster.orchestration.assets.resuming import interrupted, pull_began, since
from orgdata_dagster.orchestration.tags import PULL_BEGAN_TAG, RESUME_TAG
from orgdata_dagster_tests.dagster_internals.for_tests import create_run_for_test
from orgdata_dagster_tests.dagster_internals.instances import in_memory

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SUCCESS, FAILURE, CANCELED = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with in_memory() as made:
        yield made


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["vendor", name])


def make(
    instance: dg.DagsterInstance, name: str, status: dg.DagsterRunStatus, root: dg.DagsterRun | None = None, **tags: str
) -> dg.DagsterRun:
    """A run of an asset that has ended; `root`: the one that it retries."""
    message = {{"resume": RESUME_TAG, "pull": PULL_BEGAN_TAG}[tag]: value for tag, value in tags.items()}
    run_id = root.run_id if root else None
    return create_run_for_test(
        instance, status=status, tags=message, asset_selection=frozenset({key(name)}), root_run_id=run_id,
        parent_run_id=run_id,
    )  # fmt: skip


def created(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    record = instance.get_run_record_by_id(run.run_id)
    assert record is not None
    return record.create_timestamp.astimezone(UTC)


def test_a_run_continues_the_run_that_it_retries_or_that_its_tag_names(instance: dg.DagsterInstance) -> None:
    first = make(instance, "a", FAILURE)
    assert since(instance, first) is None
    retry = make(instance, "a", FAILURE, root=first)
    assert since(instance, retry) == created(instance, first)
    message = make(instance, "a", FAILURE, resume=LONG_AGO.isoformat())
    assert since(instance, message) == LONG_AGO
    assert since(instance, make(instance, "a", FAILURE, root=message)) == LONG_AGO


def test_only_the_last_run_of_an_asset_counts(instance: dg.DagsterInstance) -> None:
    failed = make(instance, "failed", FAILURE)
    canceled = make(instance, "canceled", CANCELED)
    make(instance, "mended", FAILURE)
    make(instance, "mended", SUCCESS)
    make(instance, "again", FAILURE, resume=LONG_AGO.isoformat())
    assert interrupted(instance) == {
        key("failed"): created(instance, failed),
        key("canceled"): created(instance, canceled),
        key("again"): LONG_AGO,
    }


@pytest.mark.parametrize(
    ("planned", "ended", "broken"),
    [
        (2, [SUCCESS, SUCCESS], False),
        (2, [SUCCESS, FAILURE], True),
        (2, [FAILURE, SUCCESS], True),
        (3, [SUCCESS, SUCCESS], True),  # killed between two runs
    ],
)
def test_a_pull_is_continued_as_a_whole(
    instance: dg.DagsterInstance, planned: int, ended: list[dg.DagsterRunStatus], broken: bool
) -> None:
    before = datetime.now(UTC)
    pull = pull_began(planned)
    for number, status in enumerate(ended):
        make(instance, f"asset {number}", status, pull=pull)
    found = interrupted(instance)
    assert found.keys() == ({key(f"asset {number}") for number in range(len(ended))} if broken else set())
    assert all(before <= at < before + timedelta(seconds=5) for at in found.values())


def test_a_later_pull_than_the_broken_one_counts(instance: dg.DagsterInstance) -> None:
    broken, whole = pull_began(2), pull_began(1)
    make(instance, "a", SUCCESS, pull=broken)
    make(instance, "b", FAILURE, pull=broken)
    make(instance, "a", SUCCESS, pull=whole)
    assert interrupted(instance).keys() == {key("b")}
