"""The YAML of `limits:` of a RestApi.

Here: windows, costs and headers of a rate limit. Add here when: a limit has another option.
Keep out: limits of vendors with code (their resource.py, or orchestration/config/request_options.py), enforcing limits
(http/rate_limit/).
"""

from __future__ import annotations

from typing import Literal

import dagster as dg
from pydantic import ConfigDict, Field

from orgdata_dagster.http.limit_headers import LimitHeaders
from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.request_options import AtLeastOne


class LimitWindow(dg.Model, dg.Resolvable):
    """At most `points` in any interval of this length."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    points: float = Field(gt=0, description="Number of points. A request costs 1 point, or the `cost` of its table.")
    per: Duration = Field(description="Length of the interval, such as 1s or 1m.")


class RestLimits(dg.Model, dg.Resolvable):
    """The rate limit; a request must fit into every window."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrent: AtLeastOne | None = Field(
        default=2, description="Concurrent requests, over all processes; null: no bound."
    )
    windows: list[LimitWindow] = Field(
        default=[LimitWindow(points=120, per="1m")], description="Points per time, over all processes; []: no bound."
    )
    headers: Literal["auto", "ignore"] = Field(
        default="auto",
        description="auto: RateLimit-*, X-RateLimit-* and Retry-After are read, and no request is sent before the "
        "vendor allows one. ignore: only Retry-After.",
    )
    charged: str = Field(default="", description="Header of an answer with the actual cost of the request in points.")

    def rule(self) -> Rule:
        """The same as a rule for `RateLimit`."""
        windows = [Window(each.points, parse_duration(each.per).total_seconds()) for each in self.windows]
        return Rule(buckets=tuple((window,) for window in windows), in_flight=self.concurrent)

    def limit_headers(self) -> LimitHeaders:
        """Which headers are read. Concurrent requests use up what remains."""
        return LimitHeaders(float(self.concurrent or 1) if self.headers == "auto" else None, self.charged)
