"""The HTTP client of all vendors: it waits for the rate limit, sends, saves the body to a file, checks it, and retries.

Here: one fetch, from the rate limit to the reader, redirects included.
Add here when: a rule applies to every request to every vendor.
Keep out: which errors are retryable (errors.py), when to retry (retry.py), bodies (body.py), safe links (origin.py),
paging and parsing (a vendor's client.py).
"""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from orgdata_dagster.http import body, redaction, sockets
from orgdata_dagster.http.call import Call, Params
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.http.clock import SYSTEM, Clock
from orgdata_dagster.http.connection import Connections, Timeouts, check_headers, checked_base, https_proxy
from orgdata_dagster.http.errors import (
    ErrorDetail,
    PermanentError,
    TransientError,
    UnsafeUrl,
    VendorError,
    one_line,
    refusal,
)
from orgdata_dagster.http.limit_headers import LimitHeaders, reset_announced
from orgdata_dagster.http.no_answer import RequestTarget, no_answer
from orgdata_dagster.http.origin import resolve
from orgdata_dagster.http.pauses import Pauses
from orgdata_dagster.http.rate_limit_interface import PermitLike, RateLimitLike, Unbounded, VendorPaused
from orgdata_dagster.http.records import Download, Observer, RequestRecord
from orgdata_dagster.http.retry import Attempts, RetryPolicy, http_date, retry_after
from orgdata_dagster.state import stopping

_log = logging.getLogger("orgdata.http")
_T = TypeVar("_T")
MAX_REDIRECTS = 5


class HttpClient:
    """Fetches from one vendor over one connection pool. Thread-safe.

    headers, params: sent with every request; may contain credentials.
    secrets: values that must never be shown.
    credentials_from, base_url_from: environment variables, for error messages.
    error_reader: extracts the vendor's error from the body of a refusal; must accept any bytes.
    request_id_headers: headers that the vendor asks for in a support ticket.
    observer: called with a record of every request, failed ones too, in the thread that fetches.
    circuit_breaker: keeps all processes from sending requests after a refusal that must not be repeated.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        secrets: Sequence[str] = (),
        credentials_from: Sequence[str] = (),
        base_url_from: str = "",
        rate_limit: RateLimitLike | None = None,
        limit_headers: LimitHeaders | None = None,
        retry: RetryPolicy = RetryPolicy(),
        timeouts: Timeouts = Timeouts(),
        error_reader: Callable[[bytes, httpx.Headers], ErrorDetail] | None = None,
        request_id_headers: Sequence[str] = ("x-request-id", "apigw-requestid", "traceparent"),
        observer: Observer | None = None,
        circuit_breaker: CircuitBreaker | None = None,
        clock: Clock = SYSTEM,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        redaction.register(*secrets)
        redaction.install()
        self.vendor = vendor
        self.base_url = checked_base(vendor, base_url, base_url_from)
        self._base_url_from = base_url_from
        self._params = params or {}
        self._credentials_from = tuple(credentials_from)
        self._rate_limit: RateLimitLike = rate_limit or Unbounded()
        self._limit_headers = limit_headers
        self._retry = retry
        self._timeouts = timeouts
        self._error_reader = error_reader or body.read_error
        self._request_id_headers = tuple(request_id_headers)
        self._observer = observer or _nobody
        self._circuit_breaker = circuit_breaker
        self._clock = clock
        self._pauses = Pauses(vendor, retry, self._rate_limit, clock)
        check_headers(self.vendor, headers or {}, self._credentials_from)
        self._http = Connections(self.base_url, headers or {}, timeouts, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(
        self,
        endpoint: str,
        *,
        method: str = "GET",
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        cost: float = 1,
        into: Path,
        small: int = 0,
        read: Callable[[Download], _T],
        observer: Observer | None = None,
    ) -> _T:
        """Download an endpoint into a file; returns the result of `read`.

        endpoint: path below the base URL, or a link on its origin.
        json, content: the body, as JSON or as bytes.
        cost: points per request; every request costs them, retries and redirects too.
        into: the file; deleted if the fetch fails.
        small: a body of at most so many bytes is kept in memory (Download.content) instead of the file: thousands of
            small files take more time than their requests.
        read: reads the download; a BadBody from it is retried like a network error.
        observer: called for the requests of this fetch only.

        Raises PermanentError, UnsafeUrl or RetriesExhausted, never an exception of httpx; stopping.Stopped if the
        process is asked to stop.
        """
        check_headers(self.vendor, headers or {}, self._credentials_from)
        attempts = Attempts(self._retry, self._clock)
        url, watch = self._url(endpoint, params or {}), observer or _nobody
        call = Call(method, url, headers or {}, json, content, cost, into, attempts, watch, small)
        return attempts.run(lambda: self._attempt_unless_stopped(call, read))

    def _attempt_unless_stopped(self, call: Call, read: Callable[[Download], _T]) -> _T:
        stopping.check()
        try:
            return self._attempt(call, read)
        except TransientError:
            stopping.check()  # we have closed the connection ourselves
            raise

    def _attempt(self, call: Call, read: Callable[[Download], _T]) -> _T:
        for _ in range(MAX_REDIRECTS + 1):
            with ExitStack() as lease:
                permit = lease.enter_context(self._permission(call.cost))
                call.attempts.waited += permit.waited
                with self._recorded(call, permit.waited) as record:
                    answer = self._exchange(call, permit, record)
                    lease.close()  # the body is read, so the next request need not wait for the parsing
                    if isinstance(answer, Download):
                        if self._retry.shared_backoff:
                            self._rate_limit.succeeded()
                        return _read_or_remove(answer, read)
            call = answer
        raise PermanentError(f"more than {MAX_REDIRECTS} redirects", vendor=self.vendor, endpoint=call.endpoint)

    @contextmanager
    def _permission(self, cost: float) -> Iterator[PermitLike]:
        self._check_circuit_breaker()
        try:
            with self._rate_limit.spend(cost) as permit:
                self._check_circuit_breaker()  # another process may have been refused while this one waited
                yield permit
        except VendorPaused as pause:
            raise self._pauses.refused(pause) from None

    def _check_circuit_breaker(self) -> None:
        if self._circuit_breaker is not None:
            self._circuit_breaker.check()

    @contextmanager
    def _recorded(self, call: Call, waited: float) -> Iterator[RequestRecord]:
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        record = RequestRecord(self.vendor, call.endpoint, call.method, now, call.attempts.number, call.cost, waited)
        try:
            yield record
        except VendorError as error:
            error.about(
                vendor=self.vendor,
                endpoint=call.endpoint,
                status=record.status,
                request_ids=record.request_ids,
            )
            # Deleted, not only hidden by `from None`: httpx's exceptions contain the URL, and error reporters
            # follow both attributes.
            error.__cause__ = error.__context__ = None
            record.error = error.reason
            raise
        except BaseException as error:
            record.error = type(error).__name__
            raise
        finally:
            _log.debug("%s", record)
            self._observer(record)
            call.observer(record)

    def _exchange(self, call: Call, permit: PermitLike, record: RequestRecord) -> Download | Call:
        started = self._clock.monotonic()
        deadline = started + self._timeouts.whole

        def left() -> float:
            return deadline - self._clock.monotonic()

        def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal deadline
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                sockets.connected(info["return_value"])
            elif event.endswith("send_request_headers.started"):  # connected; the request is sent now
                permit.sent()  # waits again if connecting took so long that the slot is gone
                again = permit.waited - record.waited
                call.attempts.waited += again
                record.waited = permit.waited
                deadline += again
            elif event.endswith("send_request_body.complete"):
                permit.left()
            elif event.endswith("receive_response_headers.complete"):
                permit.answered()

        request = self._http.request(
            call.method, call.url, call.headers, json=call.json, content=call.content, trace=trace, left=left
        )
        try:
            with closing(self._http.send(request)) as response:
                record.status = response.status_code
                record.request_ids = self._request_ids(response.headers)
                try:
                    return self._answer(call, response)
                finally:
                    record.bytes = response.num_bytes_downloaded
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            raise PermanentError(f"the request cannot be sent ({type(error).__name__})") from None
        except httpx.TransportError as error:
            if left() <= 0:
                raise TransientError(f"the answer took more than {self._timeouts.whole:.0f} s") from None
            proxy = https_proxy(self.base_url)
            raise no_answer(error, RequestTarget(call.url, self._base_url_from, proxy)) from None
        finally:
            record.seconds = self._clock.monotonic() - started

    def _answer(self, call: Call, response: httpx.Response) -> Download | Call:
        if response.has_redirect_location:
            body.read_head(response)  # so that the connection can be used again
            return self._redirected(call, response)
        if not response.is_success:
            raise self._refusal(response)
        if self._limit_headers:
            self._limit_headers.heed(response.headers, self._rate_limit, call.cost, self._clock.wall())
        return self._download(call, response)

    def _redirected(self, call: Call, response: httpx.Response) -> Call:
        url = self._with_params(resolve(str(call.url), response.headers["location"]), {})
        if response.status_code in (307, 308) or call.method == "HEAD":
            return replace(call, url=url)
        return replace(call, url=url, method="GET", json=None, content=None)

    def _refusal(self, response: httpx.Response) -> VendorError:
        status = response.status_code
        detail = self._error_reader(body.read_head(response), response.headers)
        error: VendorError = refusal(
            status,
            detail,
            response.reason_phrase,
            retryable=self._retry.extra_statuses,
            credentials_from=self._credentials_from,
        )
        if isinstance(error, TransientError):
            requested = retry_after(response.headers, self._clock.wall())
            if requested is None and self._limit_headers:
                requested = reset_announced(response.headers, self._clock.wall())
            error = self._pauses.after(error, status, requested)
        if self._circuit_breaker is not None and status in self._circuit_breaker.statuses:
            self._circuit_breaker.set(error.reason)  # before the lease is released, so that the next request sees it
            error.remedy = self._circuit_breaker.remedy
        return error

    def _download(self, call: Call, response: httpx.Response) -> Download:
        body.check_announced(response)
        part = call.into.with_name(call.into.name + ".part")
        try:
            saved = body.save(response, part, call.small)
            if body.ends_with_connection(response):
                stopping.check_cut()
            body.check_start(response, saved.head)
            if saved.content is None:
                os.replace(part, call.into)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return Download(
            path=call.into,
            status=response.status_code,
            headers=response.headers,
            bytes=saved.size,
            replaced_characters=saved.replaced,
            server_time=http_date(response.headers.get("date")),
            waited=call.attempts.waited,
            attempts=call.attempts.number,
            endpoint=call.endpoint,
            content=saved.content,
        )

    def _url(self, endpoint: str, params: Params) -> httpx.URL:
        # Anything that could name a host is a link and must stay on the origin; the rest is a path below the
        # base URL.
        is_link = re.match(r"[a-z][a-z0-9+.-]*:|//", endpoint, re.IGNORECASE)
        link = endpoint if is_link else f"{self.base_url}/{endpoint.lstrip('/')}"
        try:
            return self._with_params(resolve(self.base_url, link), params)
        except UnsafeUrl as error:
            error.vendor = self.vendor
            raise

    def _with_params(self, url: str, params: Params) -> httpx.URL:
        given = {name: value for name, value in {**self._params, **params}.items() if value is not None}
        try:
            if given and "?" in url:
                return httpx.URL(url).copy_merge_params(given)
            return httpx.URL(url, params=given) if given else httpx.URL(url)
        except httpx.InvalidURL as error:
            raise PermanentError(f"the URL cannot be sent: {error}", vendor=self.vendor) from None

    def _request_ids(self, headers: httpx.Headers) -> dict[str, str]:
        return {name: one_line(headers[name]) for name in self._request_id_headers if name in headers}


def _nobody(_record: RequestRecord) -> None:
    """The default observer, which does nothing."""


def _read_or_remove(download: Download, read: Callable[[Download], _T]) -> _T:
    try:
        return read(download)
    except BaseException:
        download.path.unlink(missing_ok=True)
        raise
