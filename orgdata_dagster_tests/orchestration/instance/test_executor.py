"""A run is claimed before its first step, however it was launched."""

import dagster as dg

from orgdata_dagster.orchestration.instance.executor import claiming_executor
from orgdata_dagster.orchestration.instance.run_claims import is_worked_on, worker
from orgdata_dagster_tests.integration.home import Home


@dg.op
def look(context: dg.OpExecutionContext) -> bool:
    run = context.instance.get_run_by_id(context.run_id)
    assert run is not None
    return bool(is_worked_on(run)) and worker(run.run_id) is not None


@dg.job(executor_def=claiming_executor)
def looking() -> None:
    look()


def test_a_run_is_claimed_before_its_first_step(home: Home) -> None:
    with home.instance() as instance, dg.execute_job(dg.reconstructable(looking), instance=instance) as done:
        assert done.success
        assert done.output_for_node("look") is True
