"""Any REST API that YAML describes: lists page by page, over any paginator.

    GET {base_url}/projects/7/issues?updated_since=...&after=...  ->  tracker.issues

Here: `Listing`, the request for one page, and a whole list as pages. Add here: another thing that a request may say.
Keep out: Dagster, DuckDB; which rows are asked for (pulling.py). What a page becomes is the caller's (`read`).

Paging quirk: all of them (http/rest/paginators.py); rows that move while they are paged (http/rest/walk.py).

Environment: <VENDOR>_BASE_URL and the variables that `auth` names.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, urljoin

import httpx

from orgdata_dagster.http.client import HttpClient
from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.rest import formats
from orgdata_dagster.http.rest.answers import PageAnswer, PageRequest, Row
from orgdata_dagster.http.rest.auth import Auth
from orgdata_dagster.http.rest.errors import ErrorRules, NoData
from orgdata_dagster.http.rest.paginators import Paginator, SinglePage
from orgdata_dagster.http.rest.walk import Answer, Walked, settle

P = TypeVar("P")
Bound = tuple[str, str | int]

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LARGE = 4 << 20  # bytes; a larger answer is no error, and is not read into memory to see whether it is one


@dataclass(frozen=True)
class Listing:
    """How a table's rows are listed: the table of YAML without what is Dagster's and the warehouse's.

    `paginate` makes a paginator for one walk. `key`: the columns that tell rows apart. `in_body`: paging and bounds go
    into the JSON body. `no_data`: statuses that mean "no rows".
    """

    path: str
    paginate: Callable[[], Paginator] = SinglePage
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    in_body: bool = False
    format: formats.Format = "json"
    records: str = ""
    key: tuple[str, ...] = ()
    cost: float = 1
    no_data: frozenset[int] = frozenset()

    def filled(self, values: Mapping[str, str]) -> Listing:
        """The listing with `{name}` replaced in its path, parameters, headers and body."""
        return replace(
            self,
            path=PLACEHOLDER.sub(lambda match: quote(values.get(match[1], match[0]), safe=""), self.path),
            params=fill(self.params, values),
            headers=fill(self.headers, values),
            body=fill(self.body, values),
        )


class RestClient:
    """Reads lists through `http`, which pays the rate limit and retries; `auth` gives what each request carries."""

    def __init__(self, http: HttpClient, auth: Auth, errors: ErrorRules) -> None:
        self._http = http
        self._auth = auth
        self._errors = errors
        self._numbers = itertools.count()  # of pages: a pull walks several lists into one folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._auth.close()
        self._http.close()

    def pages(
        self, listing: Listing, bounds: Sequence[Bound] = (), *, folder: Path, read: Callable[[Download], P]
    ) -> Walked[P]:
        """The pages that hold every row within the bounds (parameter and value).

        Every page is a file of its own in `folder`, with its envelope when `read` gets it. A BadBody from `read` is
        retried. Raises the errors of HttpClient.fetch, and PermanentError where the paging goes astray.
        """

        def ask(request: PageRequest) -> tuple[P | None, PageAnswer]:
            return self.page(listing, request, folder / f"page-{next(self._numbers):06}", read)

        def once() -> Iterator[Answer[P | None]]:
            before: PageRequest | None = None
            pages = listing.paginate()
            while pages.has_next_page:
                request = first_request(listing, bounds)
                pages.update_request(request)
                page, answer = ask(request)
                if not answer.rows and before is not None:
                    page, answer = self._empty_again(ask, request, before)
                before = request if answer.rows else before
                pages.update_state(answer)
                keys = _keys(answer.rows, listing.key)
                yield Answer(
                    page,
                    keys,
                    pages.total,
                    stands_at_row=pages.stands_at_row,
                    content=_digest(answer.rows),
                    doubt=pages.doubt,
                )

        try:
            walked = settle(once)
        except VendorError as error:
            raise error.about(vendor=self._http.vendor, endpoint=listing.path, status=None) from None
        return Walked(tuple(page for page in walked.pages if page is not None), walked.proof, walked.reason)

    def page(
        self, listing: Listing, request: PageRequest, into: Path, read: Callable[[Download], P]
    ) -> tuple[P | None, PageAnswer]:
        """One page, and what `read` makes of it; None where the vendor says that there is nothing."""

        def parse(download: Download) -> tuple[P | None, PageAnswer]:
            answer = self._opened(listing, download)
            return read(download), answer

        try:
            return self._fetch(listing, request, into, parse)
        except NoData:
            return None, PageAnswer(None, {}, ())
        except VendorError as error:
            if error.status in listing.no_data:
                return None, PageAnswer(None, {}, ())
            raise

    def _fetch(
        self, listing: Listing, request: PageRequest, into: Path, parse: Callable[[Download], tuple[P, PageAnswer]]
    ) -> tuple[P, PageAnswer]:
        # a link may be relative to the request that it came with
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
        if download.status in listing.no_data:
            raise NoData("no content", status=download.status)
        single = isinstance(listing.paginate(), SinglePage)
        if single and download.bytes > _LARGE:
            answer = PageAnswer(None, download.headers, ())
        else:
            self._check(listing, download)
            body, rows = formats.parsed(download.path, listing.format, listing.records)
            answer = PageAnswer(body, download.headers, rows)
        formats.rewrite(download.path, listing.format, listing.records)
        return answer

    def _check(self, listing: Listing, download: Download) -> None:
        """Raise the error that the answer holds instead of data; also where data would be no JSON."""
        text = download.path.read_bytes()
        if listing.format in ("json", "csv_in_json") or (text.lstrip()[:1] == b"{" and listing.format == "csv"):
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                return  # told by whoever needs it to be JSON
            self._errors.check(document)

    def _empty_again(
        self, ask: Callable[[PageRequest], tuple[P | None, PageAnswer]], request: PageRequest, before: PageRequest
    ) -> tuple[P | None, PageAnswer]:
        """A page without rows behind one with rows: does the vendor still answer as it did?"""
        page, answer = ask(replace(request))
        if not answer.rows and not ask(replace(before))[1].rows:
            raise BadBody("the list ends where it had rows before: the vendor answers with none now")
        return page, answer


def first_request(listing: Listing, bounds: Sequence[Bound]) -> PageRequest:
    """The request for the first page, before a paginator adds to it."""
    request = PageRequest(dict(listing.params), listing.body, listing.in_body)
    for parameter, value in bounds:
        request.set(parameter, value)
    return request


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """The value with `{name}` replaced in all of its texts."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), value)
    if isinstance(value, Mapping):
        return {name: fill(each, values) for name, each in value.items()}
    return [fill(each, values) for each in value] if isinstance(value, list) else value


def placeholders(*values: Any) -> set[str]:
    """The names in braces, anywhere in these values."""
    found = set[str]()
    for value in values:
        if isinstance(value, str):
            found |= {match[1] for match in PLACEHOLDER.finditer(value)}
        elif isinstance(value, Mapping):
            found |= placeholders(*value.values())
        elif isinstance(value, list):
            found |= placeholders(*value)
    return found


def shown(http_base: str, listing: Listing, request: PageRequest) -> str:
    """The request as a person reads it, without credentials: those are added later."""
    url = request.link or str(httpx.URL(f"{http_base.rstrip('/')}{listing.path}", params=request.params or None))
    body = f" {json.dumps(request.body)}" if request.body is not None else ""
    return excerpt(f"{listing.method} {url}{body}", 2000)


def _keys(rows: Sequence[Row], key: Sequence[str]) -> tuple[str, ...]:
    """What tells rows apart: their keys, else all of their values."""
    if not key:
        return tuple(json.dumps(row, sort_keys=True, default=str) for row in rows)
    if missing := sorted({name for row in rows for name in key if row.get(name) is None}):
        close = [near for name in missing for near in get_close_matches(name, rows[0], n=1)]
        raise PermanentError(
            f"rows without the key column {', '.join(missing)}; a row has {excerpt(', '.join(rows[0]), 300)}",
            remedy=f"Correct `key` in defs.yaml{f': did you mean {close[0]!r}?' if close else '.'}",
        )
    return tuple(json.dumps([row[name] for name in key], default=str) for row in rows)


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()
