"""A sync that is stopped: what was sent is recorded, the next run sends the rest, and nothing is sent twice."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.state import stopping
from orgdata_dagster.vendors.octolis.sync.component import OctolisSync
from orgdata_dagster_tests.stopping import terminated_at_lock
from orgdata_dagster_tests.vendors.octolis.sync.rig import SYNC, Rig
from orgdata_dagster_tests.waiting import wait_until


@pytest.fixture
def rig(own_home: Path, stack: ExitStack) -> Rig:
    assert own_home
    return Rig(stack)


def test_batches_in_flight_are_completed_and_the_rest_is_left(rig: Rig) -> None:
    told: list[float] = []

    def stop() -> None:
        wait_until(lambda: rig.requests() >= 3, "the third request")
        time.sleep(0.3)  # their answers are read; the other batches wait for the rate limit's next second
        told.append(time.monotonic())
        stopping.stop()

    threading.Thread(target=stop, daemon=True).start()
    try:
        done = rig.run(batch_size=10, resource=rig.resource(points_per_second=25, points_per_minute=10))
        assert time.monotonic() - told[0] < 20  # what is left would take minutes
    finally:
        stopping.resume()
    written = sum(rig.people.received.values())
    assert 0 < written < 120
    assert "stopped before everything was sent" in done.failure
    assert f"{120 - written} of 120 rows are left" in done.failure
    assert rig.sql("SELECT count(*) FROM _orgdata.sync_in_flight") == [(0,)]  # nothing is in doubt
    assert rig.run().metadata["sent_again"] == 0
    assert rig.differences() == []
    assert max(rig.people.received.values()) == 1


def test_the_wait_for_another_run_of_the_sync_ends(rig: Rig) -> None:
    with terminated_at_lock(lambda: shared_state().lock(f"syncs/{OctolisSync(**SYNC).asset_key.path[-1]}")) as holder:
        done = rig.run()
        assert holder.is_alive(), "it waited for the other run"
    assert "DagsterExecutionInterruptedError" in done.failure
    assert not stopping.stopping()
