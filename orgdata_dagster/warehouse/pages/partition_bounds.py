"""The rule that decides which rows of a page belong to a partition: those with `after < instant <= until`.

Here: the rule as SQL (`within_sql`), for rows in the database, and in Python (`below`, `above`), for instants.
The commit drops the other rows (commit/inserting.py); `count_within` (extents.py) counts with the same rule.
Keep out: which bounds a page has (a vendor's walk.py), which rows of a key are kept (commit/merging.py).
"""

from __future__ import annotations

from datetime import datetime


def within_sql(instant: str, after: str, until: str) -> str:
    """SQL of the condition that a row belongs to the partition. The arguments are SQL; NULL means no bound."""
    return f"({after} IS NULL OR {instant} > {after}) AND ({until} IS NULL OR {instant} <= {until})"


def below(instant: datetime, after: datetime | None) -> bool:
    """Whether an instant is below the lower bound, which is exclusive."""
    return after is not None and instant <= after


def above(instant: datetime, until: datetime | None) -> bool:
    """Whether an instant is above the upper bound, which is inclusive."""
    return until is not None and instant > until
