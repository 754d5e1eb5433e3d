"""Limits that a person writes in YAML, as rules of a rate budget.

Here: the polite default for vendors that document none. A vendor with limits of its own has them in its folder.
"""

from __future__ import annotations

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.budget import Rule, Window


class Limits(dg.Model, dg.Resolvable):
    """How hard a vendor may be asked; null switches a bound off."""

    model_config = ConfigDict(extra="forbid")

    concurrent: int | None = Field(default=2, ge=1, description="Requests under way at once, over all processes.")
    per_minute: int | None = Field(default=120, ge=1, description="Requests in any minute, over all processes.")

    def rule(self) -> Rule:
        """The same as a rule of the budget."""
        purses = ((Window(self.per_minute, 60),),) if self.per_minute else ()
        return Rule(purses=purses, in_flight=self.concurrent)
