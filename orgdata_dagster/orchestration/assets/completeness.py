"""The metadata of a materialization about the completeness of its partition.

Here: `of_coverage`. Add here when: the UI should show another fact about completeness.
Keep out: other figures (metadata.py), proofs of completeness (a vendor's pulling.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.http.rest.walk import NOT_PROVEN, UNPROVEN
from orgdata_dagster.warehouse.ledger.intervals import EVER, Interval

TimeWindow = tuple[datetime, datetime]

_SHOWN = 20


def of_coverage(coverage: Sequence[Interval], window: TimeWindow | None) -> dict[str, dg.MetadataValue]:
    """Whether the partition is complete, until when, and why not further; empty if it has no coverage.

    window: the partition's time window; None for a whole table and for a snapshot, which are complete as of one
        instant.
    """
    if not coverage:
        return {}
    reasons = [_gap(part) for part in coverage if not part.complete]
    reached = max(part.end for part in coverage)
    if window and reached < window[1]:
        over = window[1] <= datetime.now(UTC)
        why = "has not been pulled to its end" if over else "is not over"
        reasons.append(f"from {_instant(reached)}: the partition {why}")
    until = complete_until(coverage)
    return {
        "complete": dg.MetadataValue.bool(not reasons),
        **({"complete_until": dg.MetadataValue.timestamp(until)} if until else {}),
        **({"incomplete": dg.MetadataValue.md(_listed(reasons))} if reasons else {}),
        **({"proof": dg.MetadataValue.text(NOT_PROVEN)} if any(map(is_unproven, coverage)) else {}),
    }


def is_unproven(part: Interval) -> bool:
    """Whether only the vendor's word shows that an interval is complete."""
    return part.complete and UNPROVEN in (part.proof or "")


def complete_until(coverage: Sequence[Interval]) -> datetime | None:
    """The end of the complete coverage before the first gap; None if the coverage begins with a gap."""
    until = None
    for part in sorted(coverage, key=lambda part: part.start):
        if not part.complete or (until and part.start > until):
            break
        until = max(part.end, until or part.end)
    return until


def _gap(part: Interval) -> str:
    start = f"from {_instant(part.start)} " if part.start > EVER else ""
    return f"{start}to {_instant(part.end)}: {part.reason}"


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _listed(reasons: Sequence[str]) -> str:
    more = [f"- and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
    return "\n".join([*(f"- {reason}" for reason in reasons[:_SHOWN]), *more])
