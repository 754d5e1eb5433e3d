"""Partitions that look emptied at the vendor: their rows stay stored, and they stay incomplete, until it is accepted.

Here: what `status` and `doctor` both say of them. Keep out: when an answer is not believed
(orchestration/assets/contradictions.py); anything that imports Dagster.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta

from orgdata_dagster.counting import counted_span

ACCEPT = "--accept-shrink"  # stands in the reason of such a partition


def in_words(partitions: Sequence[str | None]) -> str:
    """What is the matter with them."""
    which = counted_span(partitions, "partition") if partitions[0] else "the table"
    return f"the vendor answers with no rows where rows are stored; these are kept, and stay incomplete: {which}"


def acceptance(asset: str, partitions: Sequence[str | None]) -> str:
    """The command that takes the vendor at its word: for all of them where they follow each other, else for the
    first."""
    first = partitions[0]
    days = f" --from {first} --to {partitions[-1] if _in_a_row(partitions) else first}" if first else ""
    return f"If the rows are gone at the vendor indeed, accept that: orgdata pull {asset}{days} {ACCEPT}"


def _in_a_row(partitions: Sequence[str | None]) -> bool:
    days = [date.fromisoformat(name) for name in partitions if name]
    return all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(days))
