"""The YAML of `errors:` of a RestApi.

Here: where errors are in an answer, and what they mean. Add here when: vendors report errors in another way.
Keep out: handling errors (http/), reading them from an answer (http/rest/errors.py).
"""

from __future__ import annotations

from typing import Annotated

import dagster as dg
from pydantic import AfterValidator, ConfigDict, Field

from orgdata_dagster.http.errors import NEVER_RETRIED
from orgdata_dagster.http.rest.errors import ErrorRules


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

    def rules(self) -> ErrorRules:
        """The same as rules for the client."""
        meanings = ("success", "retryable", "permanent", "no_data")
        codes = {name: frozenset(map(str, getattr(self, name))) for name in meanings}
        return ErrorRules(self.code, self.message, remedies=self.remedies, **codes)

    @property
    def retryable_statuses(self) -> frozenset[int]:
        """The statuses of temporary errors."""
        return _statuses(self.retryable)

    @property
    def no_data_statuses(self) -> frozenset[int]:
        """The statuses that mean that there are no rows."""
        return _statuses(self.no_data)


def _statuses(meanings: list[int | str]) -> frozenset[int]:
    """The HTTP statuses among statuses and the vendor's codes."""
    return frozenset(each for each in meanings if isinstance(each, int) and 100 <= each < 600)
