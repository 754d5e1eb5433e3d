"""The UI shows the reason of a failed step first, without Dagster's own frames."""

from __future__ import annotations

import dagster as dg
import pytest

from orgdata_dagster.dagster_internals import step_failures

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset
def refused() -> None:
    raise dg.Failure("acme /rows: HTTP 403 no. Check ACME_KEY.", allow_retries=False)


@dg.asset
def buggy() -> None:
    raise ValueError("a bug")


@pytest.mark.parametrize(("asset", "says", "most"), [(refused, "acme /rows: HTTP 403", 1), (buggy, "a bug", 99)])
def test_a_failed_step_stores_its_reason_first(asset: dg.AssetsDefinition, says: str, most: int) -> None:
    for _ in range(2):
        step_failures.install()
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([asset], instance=instance, raise_on_error=False, run_config=QUIET)
        [event] = [each for each in run.all_events if each.is_step_failure]
    error = event.step_failure_data.error
    assert error is not None
    innermost = error.cause or error
    assert says in innermost.message
    assert 1 <= len(innermost.stack) <= most
    assert "refused" in innermost.stack[-1] or "buggy" in innermost.stack[-1]
    assert (error.cause is None) == (asset is refused)
