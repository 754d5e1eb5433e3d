"""The rounds of a run: pulls until octolis and the table have the same number of records.

Here: `until_equal`. Keep out: YAML (component.py), one pull (pulling.py), storing (warehouse/).
"""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from orgdata_dagster.orchestration.assets.intake import Intake, Pulled
from orgdata_dagster.orchestration.checks.specs import SCHEMA
from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.vendors.base.stream import Step
from orgdata_dagster.vendors.octolis.client import Query
from orgdata_dagster.vendors.octolis.pulling import Counts, ReadOptions, changed_since, pull

_WHOLE_ROUNDS = (False, False, True, False)
"""Whether each round is a full walk. If the dataset changed while it was counted, the second, cheap round is enough.
Deletions, which octolis does not report, need the third round, and changes during that round need the fourth."""

_ADDED_UP = {"rows", "pages", "requests", "bytes", "seconds", "waited_for_rate_limit_seconds"}


def until_equal(step: Step, query: Query, options: ReadOptions) -> dg.MaterializeResult:
    """Pull and land a dataset; repeat while octolis and the table have different counts, finally with a full walk."""
    results: list[dg.MaterializeResult] = []
    counts, merges = Counts(), 0
    rules = step.stream.target
    whole = step.context.run.tags.get(FULL_WALK_TAG) == "true"
    for everything in (True, *_WHOLE_ROUNDS[:2]) if whole else _WHOLE_ROUNDS:
        counts = Counts()

        def pull_round(intake: Intake, everything: bool = everything, counts: Counts = counts) -> Pulled:
            since = None if everything else changed_since(intake, step.warehouse, rules.table, options)
            return pull(step.client, query, intake, options, counts, since=since)

        results.append(step.land(pull_round, target=replace(rules, afterwards=counts.compare)))
        merges += counts.merges
        if counts.agree:
            break
        step.context.log.info(f"{rules.table}: {counts.mismatch}")
    last = results[-1].metadata or {}
    return dg.MaterializeResult(
        metadata={**last, **_added_up(results), "merges": merges, "rounds": len(results)},
        check_results=[*_checks(results), counts.check()],
    )


def _checks(results: Sequence[dg.MaterializeResult]) -> list[dg.AssetCheckResult]:
    """The checks of the last round; a failed schema check of any round counts, as only one round sees new columns."""
    last = {check.check_name: check for check in results[-1].check_results or ()}
    changed = [check for each in results for check in each.check_results or () if not check.passed]
    return [*(last | {check.check_name: check for check in changed if check.check_name == SCHEMA}).values()]


def _added_up(results: Sequence[dg.MaterializeResult]) -> dict[str, int | float]:
    """The sums over all rounds of the figures in _ADDED_UP."""
    total: dict[str, int | float] = {}
    for result in results:
        for name, value in (result.metadata or {}).items():
            if name in _ADDED_UP and isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue):
                total[name] = total.get(name, 0) + (value.value or 0)
    return total
