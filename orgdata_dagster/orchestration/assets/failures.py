"""From an error of a vendor or of the warehouse to a failed step that Dagster treats rightly.

Here: which failures Dagster may retry, and how they read in the UI.
Keep out: what is retryable in HTTP (http/errors.py).

Dagster has three retry mechanisms: the step's RetryPolicy, the instance's run retries, and the run tag that sets them.
`Failure(allow_retries=False)` stops only the first, so a permanent failure also tags its run.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.redaction import redact
from orgdata_dagster.warehouse.errors import ContractViolation, Refused

MAX_RETRIES_TAG = "dagster/max_retries"
_SHOWN = 20


def is_permanent(error: BaseException) -> bool:
    """Whether the same attempt would fail again: a person has to change something first."""
    return isinstance(error, (PermanentError, ContractViolation, Refused))


def failure(
    context: dg.AssetExecutionContext, errors: Mapping[str | None, BaseException], *, untried: int = 0
) -> dg.Failure:
    """One failure for everything that went wrong in a run: the reasons by partition, the first one in the headline."""
    permanent = any(map(is_permanent, errors.values()))
    if permanent:
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
    reasons = {str(partition or "all"): redact(f"{error}") for partition, error in errors.items()}
    first = next(iter(reasons.values()))
    more = f" (and {len(reasons) - 1} more partitions)" if len(reasons) > 1 else ""
    skipped = f"; {untried} partitions were not tried" if untried else ""
    table = "\n".join(["| partition | reason |", "|---|---|"] + [
        f"| {partition} | {reason.replace('|', '/')} |" for partition, reason in list(reasons.items())[:_SHOWN]
    ])  # fmt: skip
    return dg.Failure(
        description=f"{first}{more}{skipped}",
        metadata={"reasons": dg.MetadataValue.md(table), "permanent": permanent},
        allow_retries=not permanent,
    )
