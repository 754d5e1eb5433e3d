"""Which rows of a page belong to a partition: those with `after < instant <= until`. The only place of this rule.

Here: the rule as SQL (`within_sql`), for rows in the database, and in Python (`below`, `above`), for instants.
The commit drops the other rows (commit/inserting.py) and checks the number of inserted rows against this count.
Keep out: which bounds a page has (a vendor's walk.py).
"""

from __future__ import annotations

from datetime import datetime


def within_sql(instant: str, after: str, until: str) -> str:
    """SQL: whether the row belongs to the partition. The arguments are SQL of timestamps; a bound of NULL is none."""
    return f"({after} IS NULL OR {instant} > {after}) AND ({until} IS NULL OR {instant} <= {until})"


def below(instant: datetime, after: datetime | None) -> bool:
    """Whether an instant lies below the lower bound, which is itself outside."""
    return after is not None and instant <= after


def above(instant: datetime, until: datetime | None) -> bool:
    """Whether an instant lies above the upper bound, which is itself inside."""
    return until is not None and instant > until
