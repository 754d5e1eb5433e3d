"""Turning errors of a vendor or the warehouse into a failed step that Dagster handles correctly.

Here: which failures Dagster may retry, and what the UI shows about them.
Keep out: which HTTP errors are retryable (http/errors.py).

Dagster has three retry mechanisms: the step's RetryPolicy, the instance's run retries, and the run tag that sets them.
`Failure(allow_retries=False)` stops only the first, so a permanent failure also tags its run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http.errors import PermanentError, TooLongAPause
from orgdata_dagster.orchestration.reasons import is_known, reason
from orgdata_dagster.warehouse.errors import ContractViolation, Refused, WarehouseDamaged, WarehouseUnavailable

MAX_RETRIES_TAG = "dagster/max_retries"
_SHOWN = 20


def is_permanent(error: BaseException) -> bool:
    """Whether the same attempt would fail again until a user changes something."""
    return isinstance(error, (PermanentError, ContractViolation, Refused, WarehouseDamaged))


def ends_run(error: BaseException) -> bool:
    """Whether the partitions that have not started would fail with the same error."""
    return is_permanent(error) or isinstance(error, (TooLongAPause, WarehouseUnavailable))


def failure(
    context: dg.AssetExecutionContext, errors: Mapping[str | None, BaseException], *, untried: int = 0
) -> dg.Failure:
    """One failure for all errors of a run. `errors`: partition -> error; `untried`: number of partitions not tried."""
    permanent = any(map(is_permanent, errors.values()))
    if permanent:
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
    reasons = {str(partition or "all"): reason(error) for partition, error in errors.items()}
    first = next(iter(reasons.values()))
    more = f" (and {counted(len(reasons) - 1, 'more partition')})" if len(reasons) > 1 else ""
    skipped = f"; {counted(untried, 'partition', 'were')} not tried" if untried else ""
    table = "\n".join(["| partition | reason |", "|---|---|"] + [
        f"| {partition} | {message.replace('|', '/')} |" for partition, message in list(reasons.items())[:_SHOWN]
    ])  # fmt: skip
    return dg.Failure(
        description=f"{first}{more}{skipped}",
        metadata={"reasons": dg.MetadataValue.md(table), "permanent": permanent},
        allow_retries=not permanent,
    )


@contextmanager
def explained(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a known error in this context into a failure with its reason, without a traceback."""
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:
        if not is_known(error):
            raise
        raise failure(context, {None: error}) from None
