"""Partitions whose rows the vendor seems to have deleted. The rows remain stored until the user accepts the deletion.

Here: the texts of `status` and `doctor` about them. Keep out: when an answer is not accepted
(orchestration/assets/contradictions.py); anything that imports Dagster.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta

from orgdata_dagster.counting import counted_span

ACCEPT = "--accept-shrink"  # occurs in the reason why such a partition is incomplete


def in_words(partitions: Sequence[str | None]) -> str:
    """The problem of these partitions, as a clause."""
    which = counted_span(partitions, "partition") if partitions[0] else "the table"
    return f"the vendor answers without rows, but rows are stored; they are kept, and these stay incomplete: {which}"


def acceptance(asset: str, partitions: Sequence[str | None]) -> str:
    """The command that accepts the deletion: for all partitions if they are consecutive days, else for the first."""
    first = partitions[0]
    days = f" --from {first} --to {partitions[-1] if _in_a_row(partitions) else first}" if first else ""
    return f"If the vendor has really deleted the rows, accept that: orgdata pull {asset}{days} {ACCEPT}"


def _in_a_row(partitions: Sequence[str | None]) -> bool:
    days = [date.fromisoformat(name) for name in partitions if name]
    return all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(days))
