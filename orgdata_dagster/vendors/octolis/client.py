"""The octolis data API: records of a dataset, by their masterid or by filters, and their number.

    GET {base_url}/datasets/{id}/records?filter=...&selection=...&page=1&pageSize=50000&order=desc  ->  octolis.<name>

Here: reading requests, their points, and the format of errors (`vendor_apis/octolis.md`).
Add here when: there is another endpoint for reading.
Keep out: Dagster and DuckDB (the caller passes a reader), writing (writing.py).

Paging quirk: by rank, in a dataset that changes; there is no filter for "modified since". See walk.py.

Environment: OCTOLIS_BASE_URL, OCTOLIS_API_KEY. Alone, against `orgdata sandbox`:

    from orgdata_dagster.vendors.octolis.resource import OctolisResource
    with OctolisResource.from_environment().client() as octolis:
        octolis.count("5f1c...", (("consent_sms", "true"),))
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx

from orgdata_dagster.http import body
from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.errors import BadBody, ErrorDetail, PermanentError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.vendors.octolis.walk import (
    FIRST_PAGE_SIZE,
    MAX_PAGE_SIZE,
    NoProgress,
    PageSizeTooSmall,
    PagesRepeat,
    RankedPage,
    RankRange,
    RecordPage,
    walk,
)

BASE_URL = "https://api.octolis.cloud/v1/data"
HEADERS = {"Accept": "*/*", "Content-Type": "application/json"}  # "For all requests ... mandatory", also without a body
API_KEY_PARAMETER = "api-key"
READ_POINTS = 1

MASTERID, ALL_MASTERIDS, MODIFIED_AT = "__masterid__", "__all_masterids__", "__modified_at__"
NEEDED = (MASTERID, ALL_MASTERIDS, MODIFIED_AT)
"""The columns that identify records and their changes."""

Order = Literal["asc", "desc"]
Format = Literal["json", "csv"]
Filter = tuple[tuple[str, str], ...]
"""Pairs of column and value. Several values of one column are alternatives; all columns must match."""
T = TypeVar("T")
P = TypeVar("P", bound=RecordPage)


def parsed_filter(text: str) -> Filter:
    """Parse a filter such as `firstname:Marc,firstname:Jeanne,consent_sms:true`.

    The filter language has no quoting: a value cannot contain a comma. Raises ValueError for an invalid filter.
    """
    conditions = [condition.partition(":") for condition in text.split(",")] if text else []
    if wrong := [column + colon for column, colon, _ in conditions if not (column.strip() and colon)]:
        raise ValueError(f"{wrong[0]!r} is not of the form column:value, as in consent_sms:true")
    return tuple((column.strip(), value) for column, _, value in conditions)


@dataclass(frozen=True)
class Query:
    """The records of a dataset to read.

    filter: only records that match it.
    selection: the columns to read; empty: all.
    """

    dataset: str
    filter: Filter = ()
    selection: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters. Raises ValueError for a filter that the vendor's language cannot express."""
        if beyond := [value for _, value in self.filter if "," in value]:
            raise ValueError(f"octolis cannot filter by {beyond[0]!r}: a value with a comma")
        filters = ",".join(f"{column}:{value}" for column, value in self.filter)
        selection = ",".join(dict.fromkeys([*self.selection, *NEEDED])) if self.selection else ""
        return {name: text for name, text in {"filter": filters, "selection": selection}.items() if text}


class OctolisClient(ApiClient):
    """Reads datasets through `http`, which keeps the rate limit and retries.

    All methods raise the errors of HttpClient.fetch.
    """

    def record(self, dataset: str, masterid: str) -> tuple[dict[str, Any], bool]:
        """The record with this masterid, and whether it results from a merge."""

        def read(download: Download) -> tuple[dict[str, Any], bool]:
            answer = json_object(download)
            return _field(answer, "record", dict), bool(answer.get("isMerged", False))

        return self._read(f"{records_path(dataset)}/{quote(masterid, safe='')}", read, cost=READ_POINTS)

    def count(self, query: Query) -> int:
        """The number of records that match the query's filter."""
        parameters = {name: text for name, text in query.parameters.items() if name == "filter"}
        endpoint = f"{records_path(query.dataset)}/count"
        return self._read(
            endpoint, lambda it: _field(json_object(it), "count", int), params=parameters, cost=READ_POINTS
        )

    def newest(self, query: Query) -> str:
        """The newest record's instant and masterid as text; an empty text for a dataset without records."""
        parameters = replace(query, selection=NEEDED).parameters | _paging(RankRange(1, 1))
        return self._read(records_path(query.dataset), _newest, params=parameters, cost=READ_POINTS)

    def page(
        self,
        query: Query,
        ranks: RankRange = RankRange(1, MAX_PAGE_SIZE),
        *,
        order: Order = "desc",
        format: Format = "json",  # noqa: A002 - the vendor's word
        into: Path,
        read: Callable[[Download], T],
    ) -> T:
        """Download one page to the file `into`; returns the result of `read`.

        By default the page has the newest records, as `{"records": [...]}`.
        """
        parameters = query.parameters | _paging(ranks, order, format)
        return self._http.fetch(records_path(query.dataset), params=parameters, cost=READ_POINTS, into=into, read=read)

    def pages(
        self,
        query: Query,
        *,
        since: datetime | None = None,
        size: int = MAX_PAGE_SIZE,
        first_size: int = FIRST_PAGE_SIZE,
        folder: Path,
        read: Callable[[Download], P],
    ) -> Iterator[RankedPage[P]]:
        """Yield every record modified at `since` or later (None: every record), newest first, some twice; see `walk`.

        folder: receives one file per page.

        Raises PermanentError if paging fails.
        """
        number = itertools.count()

        def fetch(ranks: RankRange) -> P:
            return self.page(query, ranks, into=folder / f"page-{next(number):06}.json", read=read)

        def count() -> int:
            return self.count(query)

        try:
            yield from walk(fetch, count, since=since, size=size, first_size=first_size)
        except NoProgress as error:
            raise BadBody(str(error), vendor=self._http.vendor, endpoint=records_path(query.dataset)) from None
        except PagesRepeat as error:
            raise self._permanent(query, str(error), "Tell the vendor.") from None
        except PageSizeTooSmall as error:
            raise self._permanent(query, str(error), f"Set page_size to {MAX_PAGE_SIZE}.") from None

    def _permanent(self, query: Query, message: str, remedy: str) -> PermanentError:
        return PermanentError(message, vendor=self._http.vendor, endpoint=records_path(query.dataset), remedy=remedy)


def read_error(content: bytes, headers: httpx.Headers) -> ErrorDetail:
    """The error as the document describes it: `title`, `detail`, `errors` and `missing`.

    `values` is left out, because it may contain personal data.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "title" not in found:
        return body.read_error(content, headers)
    parts = [str(found.get("detail") or ""), problems(found)]
    return ErrorDetail(str(found["title"]), ": ".join(part for part in parts if part))


def problems(error: dict[str, Any]) -> str:
    """The single problems in an error of the document's format."""
    return "; ".join([*_texts(error.get("errors")), *(f"missing: {name}" for name in _texts(error.get("missing")))])


def records_path(dataset: str) -> str:
    """The endpoint of a dataset's records."""
    return f"/datasets/{quote(dataset, safe='')}/records"


def json_object(download: Download) -> dict[str, Any]:
    """Parse an answer that must be a JSON object. Raises BadBody otherwise."""
    try:
        found = json.loads(download.path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the answer is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadBody("the answer is not a JSON object")
    return found


def _paging(ranks: RankRange, order: Order = "desc", format: Format = "json") -> dict[str, str]:  # noqa: A002
    return {"page": str(ranks.page), "pageSize": str(ranks.size), "order": order, "format": format}


def _newest(download: Download) -> str:
    try:
        records = json_object(download)["records"]
        return f"{records[0][MODIFIED_AT]} {records[0][MASTERID]}" if records else ""
    except (LookupError, TypeError) as error:
        raise BadBody(f"no page of records: {type(error).__name__} {error}") from None


def _field(answer: dict[str, Any], name: str, kind: type[T]) -> T:
    value = answer.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadBody(f"the answer has no {name!r}; it has {excerpt(', '.join(answer), 200) or 'nothing'}")
    return value


def _texts(found: object) -> list[str]:
    return [str(item) for item in found] if isinstance(found, list) else []
