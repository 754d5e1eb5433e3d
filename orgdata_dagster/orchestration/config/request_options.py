"""YAML options for the requests to a vendor: rate limits of vendors that document none, and retries.

Here: the options and their conservative defaults. A vendor's resource has the same objects. Add here when: requests to
every vendor get another option. Keep out: the limits of a RestApi (vendors/rest/limit_options.py), documented limits
(resource.py of octolis and together), enforcing limits (http/rate_limit/), which errors are retryable (http/errors.py).
"""

from __future__ import annotations

from typing import Annotated

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.http.retry import RetryPolicy

# The bound is inside the union, not in the field's own Field(), where Dagster would compare null with it.
AtLeastOne = Annotated[int, Field(ge=1)]


class Limits(dg.Config, dg.Resolvable):
    """The rate limit of a vendor; null: no bound."""

    model_config = ConfigDict(extra="forbid")

    concurrent: AtLeastOne | None = Field(default=2, description="Concurrent requests, over all processes.")
    per_minute: AtLeastOne | None = Field(default=120, description="Requests per minute, over all processes.")

    def rule(self) -> Rule:
        """The same as a rule for `RateLimit`."""
        buckets = ((Window(self.per_minute, 60),),) if self.per_minute else ()
        return Rule(buckets=buckets, in_flight=self.concurrent)


class BaseRetries(dg.Config, dg.Resolvable):
    """How often a request is repeated after an error that may pass: network errors, 429, 5xx, broken bodies."""

    model_config = ConfigDict(extra="forbid")

    attempts: int = Field(default=RetryPolicy.attempts, ge=1, description="Number of attempts, the first one included.")
    longest_pause: float = Field(
        default=RetryPolicy.longest_pause,
        ge=0,
        description="Longest pause, in seconds, that the vendor may ask for (Retry-After). If it asks for more, the "
        "request fails at once, and no request is sent for this many seconds.",
    )


class Retries(BaseRetries):
    """The same, with waits that the user may choose."""

    first_wait: float = Field(
        default=RetryPolicy.first_wait,
        ge=0,
        description="Longest wait before the second attempt, in seconds. Each further wait doubles, up to a minute.",
    )
