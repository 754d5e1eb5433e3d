"""How a vendor is to be asked, as a person writes it in YAML: how often, and how stubbornly.

Here: the polite default limits for vendors that document none, and retries. A vendor with limits of its own has them in
its folder. Keep out: what is retryable (http/errors.py).
"""

from __future__ import annotations

from typing import Annotated

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.http.retry import RetryPolicy

# Inside the union, not in the field's own Field(): Dagster would compare null with the bound.
AtLeastOne = Annotated[int, Field(ge=1)]


class Limits(dg.Model, dg.Resolvable):
    """How hard a vendor may be asked; null switches a bound off."""

    model_config = ConfigDict(extra="forbid")

    concurrent: AtLeastOne | None = Field(default=2, description="Requests under way at once, over all processes.")
    per_minute: AtLeastOne | None = Field(default=120, description="Requests in any minute, over all processes.")

    def rule(self) -> Rule:
        """The same as a rule of the rate limit."""
        buckets = ((Window(self.per_minute, 60),),) if self.per_minute else ()
        return Rule(buckets=buckets, in_flight=self.concurrent)


def longest_pause() -> float:
    """The field of the same name, which every vendor's retries have."""
    field: float = Field(
        default=RetryPolicy.longest_pause,
        ge=0,
        description="Seconds that the vendor may ask us to wait (Retry-After) at most. Where it asks for more, the "
        "request fails at once, and none is sent for so many seconds.",
    )
    return field


class Retries(dg.Model, dg.Resolvable):
    """How stubbornly one request is tried where trying again may help (network errors, 429, 5xx, broken bodies)."""

    model_config = ConfigDict(extra="forbid")

    attempts: int = Field(default=RetryPolicy.attempts, ge=1, description="Attempts in all, the first one included.")
    first_wait: float = Field(
        default=RetryPolicy.first_wait,
        ge=0,
        description="Seconds before the second attempt at most; the waits double, up to a minute.",
    )

    longest_pause: float = longest_pause()

    def fields(self) -> dict[str, float]:
        """The same as fields of a VendorResource."""
        return {f"retry_{name}": value for name, value in self.model_dump().items()}
