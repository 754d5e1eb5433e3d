"""The YAML of `limits:` and `errors:` of a RestApi.

Here: windows, costs and headers of a rate limit; where errors are in an answer, and what they mean.
Keep out: keeping limits and handling errors (http/).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import AfterValidator, ConfigDict, Field

from orgdata_dagster.http.errors import NEVER_RETRIED
from orgdata_dagster.orchestration.config.durations import Duration, parse_duration
from orgdata_dagster.orchestration.config.limits import AtLeastOne


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

    def fields(self) -> dict[str, Any]:
        """The options as fields of a RestApiResource."""
        return {
            "concurrent": self.concurrent,
            "windows": [[each.points, parse_duration(each.per).total_seconds()] for each in self.windows],
            # concurrent requests use up what remains
            "least_remaining": float(self.concurrent or 1) if self.headers == "auto" else None,
            "charged_header": self.charged,
        }


def _may_be_retried(statuses: list[int | str]) -> list[int | str]:
    if wrong := [each for each in statuses if each in NEVER_RETRIED]:
        raise ValueError(f"the status {wrong[0]} is never retried; write the vendor's own code of the error instead")
    return statuses


Meaning = list[int | str]
Retryable = Annotated[Meaning, AfterValidator(_may_be_retried)]


class RestErrors(dg.Model, dg.Resolvable):
    """The vendor's error format. Numbers from 100 to 599 are statuses, everything else is a code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(default="", description="Path of the code in a JSON answer, also in answers with status 200.")
    message: str = Field(default="", description="Path of the message.")
    success: Meaning = Field(default=[], description="Codes that are not errors.")
    retryable: Retryable = Field(default=[], description="Statuses and codes of temporary errors.")
    permanent: Meaning = Field(default=[], description="Codes of permanent errors.")
    no_data: Meaning = Field(
        default=[], description="Statuses and codes that mean that there are no rows, such as 204."
    )
    remedies: dict[str, str] = Field(default={}, description="Code: what to do about it; shown with the error.")

    def fields(self) -> dict[str, Any]:
        """The options as fields of a RestApiResource."""
        sets = {name: [str(each) for each in getattr(self, name)] for name in _SETS}
        return {
            "errors": {"code": self.code, "message": self.message, "remedies": self.remedies, **sets},
            "retryable_statuses": [each for each in self.retryable if is_status(each)],
        }

    @property
    def no_data_statuses(self) -> frozenset[int]:
        """The statuses that mean that there are no rows."""
        return frozenset(each for each in self.no_data if isinstance(each, int) and is_status(each))


_SETS = ("success", "retryable", "permanent", "no_data")


def is_status(value: int | str) -> bool:
    """Whether a value is an HTTP status, not a vendor's code."""
    return isinstance(value, int) and 100 <= value < 600
