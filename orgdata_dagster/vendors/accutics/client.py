"""The Accutics Open API: lists of entities as JSON, page by page.

    GET {base_url}/records?search=updated_at:gte:...;updated_at:lt:...&page_size=500[&cursor=...]  ->  accutics.records

Here: the request for one page, its `data`/`meta` envelope, the errors, and a whole list as pages.
Add here when: there is another endpoint. Keep out: Dagster and DuckDB; the caller passes a reader (`read`).

Paging quirk: there are two pagings (paging.py), and rows move while they are paged (http/rest/walk.py). The document
gives conventions, not paths: a `Listing` describes a list. The status and `error.code` decide what an error means,
never `message`.

Environment: ACCUTICS_BASE_URL, ACCUTICS_API_TOKEN. Alone, against `orgdata sandbox`:

    from orgdata_dagster.vendors.accutics.resource import AccuticsResource
    AccuticsResource.from_environment().rows(Listing("/records", "cursor", key=("id",)))
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest.walk import Answer, Walked, settle
from orgdata_dagster.vendors.accutics import search, token
from orgdata_dagster.vendors.accutics.paging import Pagination, Paging, paginator
from orgdata_dagster.vendors.accutics.search import Condition

P = TypeVar("P")
Row = Mapping[str, Any]

RECORDS = "data"  # the array in the envelope
_CLOCKS = timedelta(minutes=1)  # by so much may the clocks of the vendor's own machines differ
_ERROR_MEMBERS = {"error", "errors", "code", "message", "detail", "status"}
REMEDIES = {
    "invalid_route": "Unknown endpoint: correct `path` in defs.yaml or ACCUTICS_BASE_URL.",
    "authorization_header_missing": "No token was sent: set ACCUTICS_API_TOKEN.",
    "authorization": "The API user may not read this: give it a role in the account, or check ACCUTICS_API_TOKEN.",
}


@dataclass(frozen=True)
class Listing:
    """How an entity is listed. `conditions` and `sort` are sent with every request. `cursor_column`: the change."""

    path: str
    paging: Paging
    key: tuple[str, ...]
    page_size: int = 500
    cursor_column: str | None = None
    conditions: tuple[Condition, ...] = ()
    sort: str = ""

    @property
    def newest_first(self) -> bool:
        """Whether the list is requested in the order of the last change, newest first."""
        return self.cursor_column is not None and self.sort.split(",")[0] == f"-{self.cursor_column}"


class AccuticsClient:
    """Reads lists through `http`, which keeps the rate limit and retries.

    base_url: the origin that links may have.
    api_token, now: to detect an expired token when the vendor refuses it.
    """

    def __init__(self, http: HttpClient, *, base_url: str, api_token: str, now: Callable[[], datetime]) -> None:
        self._http = http
        self._base_url = base_url
        self._api_token = api_token
        self._now = now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def pages(self, listing: Listing, *conditions: Condition, folder: Path, read: Callable[[Download], P]) -> Walked[P]:
        """The pages with every row that meets all conditions, including the listing's own.

        folder: receives one file per page, with its envelope.
        read: reads a page; a BadBody from it is retried.

        Raises the errors of HttpClient.fetch, and PermanentError if the paging fails.
        """
        number = itertools.count()

        def once() -> Iterator[Answer[P]]:
            before: Mapping[str, str] | None = None
            began: datetime | None = None
            pages = paginator(listing.paging, self._base_url, listing.page_size)
            seen: list[str] = []
            while pages.has_next_page:
                params = _query(listing, conditions)
                pages.update_request(params)
                into = folder / f"page-{next(number):06}.json"
                page, rows, pagination, at = self._page(listing.path, params, into, read)
                began = began or at
                if not rows and listing.paging == "cursor" and (before is not None or _goes_on(pagination)):
                    # a page between others, or one that a cursor has promised, without a row: is it always so?
                    into = folder / f"page-{next(number):06}.json"
                    if before is not None and not self._page(listing.path, before, into, lambda _: None)[1]:
                        raise BadBody("the list ends where it had rows before: the vendor answers with none now")
                    page, rows, pagination, _ = self._page(listing.path, params, into, read)
                before = params if rows else before
                pages.update_state(pagination, rows)
                keys = _keys(rows, listing.key)
                seen += keys
                changes = _instants(rows, listing.cursor_column)
                yield Answer(
                    page,
                    keys,
                    pages.total,
                    newest_first=newest_first(changes),
                    stands_at_row=listing.paging == "cursor",
                    unchanged=unchanged(changes, began),
                )
            _check_types(seen, listing.key)

        try:
            return settle(once, newest_first=listing.newest_first)
        except VendorError as error:
            raise self._explained(error.about(vendor=self._http.vendor, endpoint=listing.path, status=None)) from None

    def peek(self, listing: Listing, *conditions: Condition) -> tuple[list[Row], int | None]:
        """The first row of a list, if there is one, and the vendor's number of rows, if it says so.

        Sends one request. Raises the errors of HttpClient.fetch.
        """
        params = _query(listing, conditions)
        paginator(listing.paging, self._base_url, 1).update_request(params)
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / "peek.json"
            _, rows, pagination, _ = self._page(listing.path, params, into, lambda _download: None)
        total = pagination.get("total_items")
        return rows, total if isinstance(total, int) else None

    def _page(
        self, path: str, params: Mapping[str, str], into: Path, read: Callable[[Download], P]
    ) -> tuple[P, list[Row], Pagination, datetime | None]:
        """A page, its rows, its pagination, and the vendor's time."""

        def parsed(download: Download) -> tuple[P, list[Row], Pagination, datetime | None]:
            rows, pagination = _opened(download)
            return read(download), rows, pagination, download.server_time

        return self._http.fetch(path, params=params, into=into, read=parsed)

    def _explained(self, error: VendorError) -> VendorError:
        """Add to the error what to do about its code, or about an expired token."""
        if isinstance(error, PermanentError):
            refused = error.status in (401, 403)
            expired = token.notice(self._api_token, self._now(), ahead=timedelta(0)) if refused else None
            error.remedy = expired or REMEDIES.get(error.code, error.remedy)
        return error


def _query(listing: Listing, conditions: Sequence[Condition]) -> dict[str, str]:
    given = {"search": search.search(*listing.conditions, *conditions), "sort": listing.sort}
    return {name: value for name, value in given.items() if value}


def _opened(download: Download) -> tuple[list[Row], Pagination]:
    """The rows and the pagination of an envelope. Raises BadBody if it is not one."""
    try:
        envelope = json.loads(download.path.read_bytes())
        rows, pagination = envelope[RECORDS], envelope["meta"]["pagination"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BadBody(f"no envelope with data and meta.pagination: {type(error).__name__} {error}") from None
    if not isinstance(pagination, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadBody("`data` is not an array of objects, or `meta.pagination` is not an object")
    if envelope.get("error") or any(row.keys() <= _ERROR_MEMBERS for row in rows):
        raise BadBody(f"an error in place of rows: {excerpt(json.dumps(envelope.get('error') or rows[:1]), 200)}")
    return rows, pagination


def _goes_on(pagination: Pagination) -> bool:
    return bool(pagination.get("next_cursor") or pagination.get("next"))


def _keys(rows: Sequence[Row], key: Sequence[str]) -> tuple[str, ...]:
    """The keys of the rows as comparable text. Raises PermanentError if a row has no key."""
    if missing := sorted({name for row in rows for name in key if row.get(name) is None}):
        close = [near for name in missing for near in get_close_matches(name, rows[0], n=1)]
        raise PermanentError(
            f"rows without the key column {', '.join(missing)}; a row has {excerpt(', '.join(rows[0]), 300)}",
            remedy=f"Correct `key` in defs.yaml{f': did you mean {close[0]!r}?' if close else '.'}",
        )
    return tuple(json.dumps([row[name] for name in key]) for row in rows)


def _check_types(keys: Sequence[str], key: Sequence[str]) -> None:
    """Raise PermanentError for keys that differ only in the type of a value: a column cannot tell 1 from "1"."""
    kinds = {each.startswith('["') for each in keys} if len(key) == 1 else {True, False}
    if len(kinds) < 2:
        return  # all are strings, or none is: as nearly always
    found: dict[tuple[str, ...], str] = {}
    for each in dict.fromkeys(keys):
        text = tuple(value if isinstance(value, str) else json.dumps(value) for value in json.loads(each))
        if (other := found.setdefault(text, each)) != each:
            raise PermanentError(
                f"two rows have the keys {other} and {each}, which differ only in type: no column keeps them apart",
                remedy=f"Nothing was stored. Add a column to `key` ({', '.join(key)}) in defs.yaml that tells them.",
            )


def _instants(rows: Sequence[Row], column: str | None) -> list[datetime] | None:
    """When the rows were last changed; None if that cannot be told of all."""
    try:
        found = [datetime.fromisoformat(row[column]) for row in rows] if column else None
    except (ValueError, LookupError, TypeError):
        return None
    return found if found is not None and len({at.tzinfo is None for at in found}) < 2 else None


def newest_first(changes: Sequence[datetime] | None) -> bool:
    """Whether rows are in the order of their last change."""
    return changes is not None and all(later >= earlier for later, earlier in itertools.pairwise(changes))


def unchanged(changes: Sequence[datetime] | None, since: datetime | None) -> bool:
    """Whether no row was added or changed since an instant on the vendor's clock."""
    if changes is None or since is None:
        return False
    return all(at.tzinfo is not None and at < since - _CLOCKS for at in changes)
