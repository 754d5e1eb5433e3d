"""Lists of any REST API, page by page, with any paginator.

    GET {base_url}/projects/7/issues?updated_since=...&after=...  ->  tracker.issues

Here: the request for one page, and a whole list as pages. Add here when: an answer can be wrong in another way.
Keep out: Dagster and DuckDB (the caller passes a reader), what is requested (list_request.py, pulling.py).

Paging quirk: any paginator (http/rest/paginators.py), and rows that move while they are paged (http/rest/walk.py).

Environment: <VENDOR>_BASE_URL and the variables that `auth` names.
"""

from __future__ import annotations

import copy
import itertools
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

from orgdata_dagster.http.api_client import ApiClient
from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.rest import formats
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest, Row
from orgdata_dagster.http.rest.auth import Auth
from orgdata_dagster.http.rest.errors import ErrorRules, NoData
from orgdata_dagster.http.rest.paginators import Paginator, SinglePage
from orgdata_dagster.http.rest.walk import Walked, WalkedPage, walk_until_complete
from orgdata_dagster.vendors.rest import rows
from orgdata_dagster.vendors.rest.list_request import Listing

P = TypeVar("P")
Advice = Callable[[VendorError], str | None]

Note = Callable[[Sequence[str], Sequence[datetime] | None], None]

# Bytes. Of a larger page, no rows are kept in memory. A larger single answer is data, and is not parsed here to check
# whether it is an error.
_LARGE = 4 << 20
_one_large_page = threading.Lock()  # Python objects take several times the size of a page
_NOTHING_THERE = (400, 404, 410, 416, 422)  # statuses for a page beyond the end of a list
_NO_DATA = PageAnswer(None, {}, (), is_no_data=True)


def ignore(_keys: Sequence[str], _changes: Sequence[datetime] | None) -> None:
    """Do nothing; the default of `note`."""


class RestClient(ApiClient):
    """Reads lists through `http`, which keeps the rate limit and retries.

    auth: adds credentials to every request.
    errors: the vendor's error format.
    advice: what to do about a permanent error, if the vendor's own code does not say it.
    """

    def __init__(self, http: HttpClient, auth: Auth, errors: ErrorRules, advice: Advice = lambda _: None) -> None:
        super().__init__(http)
        self._auth = auth
        self._errors = errors
        self._advice = advice
        self._numbers = itertools.count()  # of files, because a pull reads several lists into one folder

    def __exit__(self, *_: object) -> None:
        self._auth.close()
        super().__exit__()

    def pages(self, listing: Listing, *, folder: Path, read: Callable[[Download], P], note: Note = ignore) -> Walked[P]:
        """Read the whole list; returns pages that together have every row, and what proves that.

        folder: receives one file per page, with its envelope.
        read: reads a page; a BadBody from it is retried.
        note: is called with the keys of each page's rows, and when they were last changed (None: unknown).

        Raises the errors of HttpClient.fetch, and PermanentError if the paging fails.
        """

        def fetch_page(request: PageRequest) -> tuple[P | None, PageAnswer]:
            return self.page(listing, request, folder / f"page-{next(self._numbers):06}", read)

        def fetch_page_beyond(request: PageRequest) -> tuple[P | None, PageAnswer]:
            try:
                return fetch_page(request)
            except PermanentError as error:
                if error.status not in _NOTHING_THERE:
                    raise
                return None, _NO_DATA

        def once() -> Iterator[WalkedPage[P | None]]:
            before: PageRequest | None = None
            began: datetime | None = None
            pages = listing.paginate()
            while pages.has_next_page:
                request = listing.first_request()
                pages.update_request(request)
                page, answer = fetch_page_beyond(request) if pages.is_beyond else fetch_page(request)
                began = began or answer.server_time
                if pages.is_beyond and not answer.rows:
                    return
                if not answer.rows and (before is not None or _next_place(pages, answer)):
                    unproven = pages.stands_at_row and pages.total is None
                    tries = (page, answer), *self._again(fetch_page, request, before, once_more=unproven)
                    page, answer = tries[-1]
                    if unproven and not answer.rows:
                        page, answer = _last_that_goes_on(pages, tries)
                before = request if answer.rows else before
                pages.update_state(answer)
                changes = answer.changes if answer.rows else rows.instants((), listing.changed_at)
                note(answer.keys, changes)
                is_compared = pages.total is None and not pages.stands_at_row
                yield WalkedPage(
                    page,
                    tuple(answer.keys),
                    pages.total,
                    newest_first=rows.newest_first(changes),
                    stands_at_row=pages.stands_at_row,
                    unchanged=rows.unchanged(changes, began),
                    content=answer.content if is_compared else "",
                    may_continue=pages.may_continue,
                )

        try:
            walked = walk_until_complete(once, newest_first=listing.newest_first)
        except VendorError as error:
            raise self._explained(error, listing) from None
        return Walked(tuple(page for page in walked.pages if page is not None), walked.proof, walked.reason)

    def peek(self, listing: Listing) -> tuple[list[Row], int | None]:
        """The first row of a list, if there is one, and the vendor's number of rows, if the answer has it.

        Sends one request. Raises the errors of HttpClient.fetch.
        """
        pages, request = listing.paginate(), listing.first_request()
        pages.page_size = 1
        pages.update_request(request)
        try:
            with tempfile.TemporaryDirectory() as folder:
                _, answer = self.page(listing, request, Path(folder) / "peek", lambda _: None)
            pages.read_total(answer)
        except VendorError as error:
            raise self._explained(error, listing) from None
        return list(answer.rows[:1]), pages.total

    def page(
        self, listing: Listing, request: PageRequest, into: Path, read: Callable[[Download], P]
    ) -> tuple[P | None, PageAnswer]:
        """Download one page; returns the result of `read` (None if the vendor reports no data) and the answer."""

        def parse(download: Download) -> tuple[P | None, PageAnswer]:
            answer = self._opened(listing, download)
            return read(download), answer

        try:
            return self._fetch(listing, request, into, parse)
        except NoData:
            return None, _NO_DATA
        except VendorError as error:
            if error.status in listing.no_data or error.code in self._errors.no_data:
                return None, _NO_DATA
            raise

    def _fetch(
        self, listing: Listing, request: PageRequest, into: Path, parse: Callable[[Download], tuple[P, PageAnswer]]
    ) -> tuple[P, PageAnswer]:
        # a link may be relative to the request whose answer has it
        endpoint = urljoin(f"{self._http.base_url}{listing.path}", request.link) if request.link else listing.path
        headers = self._auth.headers()
        for again in (True, False):
            try:
                return self._http.fetch(
                    endpoint,
                    method=listing.method,
                    params={} if request.link else request.params,
                    headers={**listing.headers, **headers},
                    json=request.body,
                    cost=listing.cost,
                    into=into,
                    read=parse,
                )
            except PermanentError as error:
                if not (again and error.status == 401 and self._auth.renew(headers)):
                    raise
                headers = self._auth.headers()
        raise AssertionError("the second attempt returns or raises")

    def _opened(self, listing: Listing, download: Download) -> PageAnswer:
        """Parse the answer for the paginator, and rewrite the file for the warehouse. Raises BadBody."""
        if download.status in listing.no_data:
            raise NoData("no content", status=download.status)
        if download.bytes <= _LARGE:
            return self._parsed(listing, download)
        with _one_large_page:
            return self._parsed(listing, download).without_rows(listing.records)

    def _parsed(self, listing: Listing, download: Download) -> PageAnswer:
        body: Any = None
        found: list[Row] = []
        if download.bytes <= _LARGE or not isinstance(listing.paginate(), SinglePage):
            body = self._document(listing, download)
            found = formats.rows(download.path, listing.format, listing.records, body)
            formats.check_objects(body, listing.expects)
            rows.refuse_errors(found, listing.key)
            if not found and not self._errors.says_success(body):
                rows.refuse_error_without_rows(body)
        elif listing.format == "csv_in_json":
            body = formats.document(download.path, listing.format, listing.records)
        formats.rewrite(download.path, listing.format, listing.records, body)
        keys, changes = rows.keys(found, listing.key), rows.instants(found, listing.changed_at)
        rows.refuse_ambiguous(found, keys, changes)
        return PageAnswer(
            body,
            download.headers,
            found,
            self._http.base_url,
            server_time=download.server_time,
            keys=keys,
            changes=changes,
        )

    def _document(self, listing: Listing, download: Download) -> Any:
        """The JSON document; None for other formats. Raises the vendor's error if the document is one."""
        if listing.format in ("csv", "jsonl"):
            self._check_text(download)
            return None
        body = formats.document(download.path, listing.format, listing.records)
        self._errors.check(body)
        return body

    def _check_text(self, download: Download) -> None:
        """Raise the vendor's error if the answer is a JSON error in place of CSV or JSON lines."""
        with download.path.open("rb") as file:
            if file.read(256).lstrip()[:1] != b"{":
                return
        try:
            document = json.loads(download.path.read_bytes())
        except (ValueError, RecursionError):
            return  # several lines, or a CSV
        self._errors.check(document)

    def _again(
        self,
        fetch_page: Callable[[PageRequest], tuple[P | None, PageAnswer]],
        request: PageRequest,
        before: PageRequest | None,
        *,
        once_more: bool,
    ) -> Iterator[tuple[P | None, PageAnswer]]:
        """Request a page without rows again. If earlier pages had rows, the last of them must still have rows.

        once_more: whether only this page shows that the list ends; it is then requested a third time.
        """
        page, answer = fetch_page(replace(request))
        yield page, answer
        if answer.rows or before is None:
            return
        if not fetch_page(replace(before))[1].rows:
            raise BadBody("the list ends where it had rows before: the vendor now returns no rows")
        if once_more:
            yield fetch_page(replace(request))

    def _explained(self, error: VendorError, listing: Listing) -> VendorError:
        """Add the vendor, the endpoint and the remedy to the error."""
        if isinstance(error, PermanentError):
            error.remedy = self._advice(error) or self._errors.remedies.get(error.code, error.remedy)
        return error.about(vendor=self._http.vendor, endpoint=listing.path, status=None)


def _last_that_goes_on(pages: Paginator, tries: Sequence[tuple[P | None, PageAnswer]]) -> tuple[P | None, PageAnswer]:
    """The answer that counts, of several to one request without rows: one that goes on, over others that end the list.

    Raises BadBody if they name different next pages, one of them twice: unlike tokens for one use, one skips rows.
    """
    places = [_next_place(pages, answer) for _, answer in tries]
    named = [place for place in places if place]
    if 1 < len({*named}) < len(named):
        raise BadBody("answers without rows to one request name different next pages: one of them would skip rows")
    return next((each for each, place in zip(reversed(tries), reversed(places), strict=True) if place), tries[-1])


def _next_place(pages: Paginator, answer: PageAnswer) -> str | None:
    """The next page that a page without rows announces, as text to compare; None if the list ends."""
    tried, request = copy.deepcopy(pages), PageRequest()
    try:
        tried.update_state(answer)
    except PermanentError:
        return "a contradiction, so the page is requested again"
    if tried.has_next_page:
        tried.update_request(request)
        return repr(request)
    return None
