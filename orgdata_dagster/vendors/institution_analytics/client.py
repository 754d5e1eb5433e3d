"""The institution's analytics API: CSV pages of a data set, newest first, bounded by two timestamps.

    GET {base_url}/analytics?data_set=users&updated_after=...&updated_before=...   ->  institution_analytics.users

Here: the request for one page, and the pages of a range of time. Add here when: there is another endpoint.
Keep out: Dagster and DuckDB; the caller passes a reader (`read`).

Paging quirk: the only paging is by timestamps; see walk.py. The document explains how ranges of time are requested, but
not the path, the parameters or the header: those are settings, with the defaults below.

Environment: INSTITUTION_ANALYTICS_BASE_URL, INSTITUTION_ANALYTICS_API_KEY. Alone, against `orgdata sandbox`:

    from orgdata_dagster.vendors.institution_analytics.resource import InstitutionAnalyticsResource
    InstitutionAnalyticsResource.from_environment().rows("users", datetime(2026, 1, 1), datetime(2026, 1, 2))
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.http.records import Download
from orgdata_dagster.vendors.institution_analytics.time_ranges import BoundsIgnored, Gap, Slice, TimedPage, TimeRange
from orgdata_dagster.vendors.institution_analytics.walk import walk

Precision = Literal["microseconds", "milliseconds", "seconds"]
P = TypeVar("P", bound=TimedPage)

_UNITS: dict[Precision, timedelta] = {
    "microseconds": timedelta(microseconds=1),
    "milliseconds": timedelta(milliseconds=1),
    "seconds": timedelta(seconds=1),
}


class RequestFormat(BaseModel):
    """The path, the parameters and the format of instants, which the document leaves open: options of the YAML.

    page_rows: "approximately 20,000" in the document; see walk.py.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(default="/analytics", description="Path after INSTITUTION_ANALYTICS_BASE_URL.")
    data_set_parameter: str = Field(default="data_set", description="Parameter that names the data set.")
    after_parameter: str = Field(default="updated_after", description="Parameter of the lower bound.")
    before_parameter: str = Field(default="updated_before", description="Parameter of the upper bound.")
    precision: Precision = Field(default="microseconds", description="Finest unit of the timestamps.")
    page_rows: int = Field(default=20_000, ge=2, description="The documented page size. Paging does not rely on it.")


class InstitutionAnalyticsClient(ApiClient):
    """Reads data sets of the institution through `http`, which keeps the rate limit and retries."""

    def __init__(self, http: HttpClient, endpoint: RequestFormat = RequestFormat()) -> None:
        super().__init__(http)
        self._endpoint = endpoint

    def pages(
        self, data_set: str, time_range: TimeRange, *, folder: Path, read: Callable[[Download], P]
    ) -> Iterator[Slice[P] | Gap]:
        """Yield slices with every row of the range once, newest first, and the gaps in which rows may be missing.

        folder: receives one file per page.
        read: reads a page; a BadBody from it is retried.

        Raises the errors of HttpClient.fetch, and PermanentError if the vendor ignores the bounds.
        """
        number = itertools.count()

        def fetch(after: datetime, until: datetime | None) -> P:
            into = folder / f"{data_set}-{next(number):06}.csv"
            return self.page(data_set, after, until, into=into, read=read)

        unit = _UNITS[self._endpoint.precision]
        try:
            yield from walk(fetch, time_range, page_rows=self._endpoint.page_rows, precision=unit)
        except BoundsIgnored as error:
            raise PermanentError(
                str(error), vendor=self._http.vendor, endpoint=self._endpoint.path, remedy="Correct `api` in defs.yaml."
            ) from None

    def page(
        self, data_set: str, after: datetime, until: datetime | None, *, into: Path, read: Callable[[Download], P]
    ) -> P:
        """One page: the newest rows with `after < instant <= until` (None: the vendor's current time)."""
        names = self._endpoint
        parameters = {names.data_set_parameter: data_set, names.after_parameter: self._text(after)}
        if until is not None:
            parameters[names.before_parameter] = self._text(until)
        return self._http.fetch(names.path, params=parameters, into=into, read=read)

    def _text(self, instant: datetime) -> str:
        """ISO 8601 in UTC, with a fraction only if there is one."""
        unit = self._endpoint.precision if instant.microsecond else "seconds"
        return instant.replace(tzinfo=None).isoformat(timespec=unit) + "Z"
