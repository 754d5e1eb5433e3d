"""The connections to one vendor: base URL, timeouts, TLS, and which environment variables they use.

Here: the httpx client and its settings.
Add here when: a setting of the transport (TLS, proxies, timeouts, limits) has to change.
Keep out: requests and answers (client.py).
"""

import logging
import re
import ssl
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from orgdata_dagster.http.body import ACCEPT_ENCODING
from orgdata_dagster.http.errors import PermanentError, UnsafeUrl
from orgdata_dagster.http.origin import same_origin
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.http.transport import LeanTransport, Trace

REQUESTS_LOG = "orgdata.http.requests"  # at DEBUG, a line per request with its whole URL, redacted
_log = logging.getLogger(REQUESTS_LOG)
_HEADERS = {"accept": "*/*", "accept-encoding": ACCEPT_ENCODING, "connection": "keep-alive", "user-agent": "orgdata"}


@dataclass(frozen=True)
class Timeouts:
    """Timeouts in seconds. `read` and `write` limit one step; `whole` limits the exchange, because answers may drip."""

    connect: float = 10
    read: float = 120
    write: float = 30
    whole: float = 1800


def checked_base(vendor: str, base_url: str, variable: str = "") -> str:
    """The base URL without a trailing slash. Raises UnsafeUrl if it is invalid or must not receive credentials.

    variable: the environment variable with the base URL, for the message. The message quotes the value only if it
        contains no secret.
    """
    base_url, name = base_url.strip(), variable or "the base URL"
    if wrong := _wrong_with(base_url):
        what, remedy = wrong
        raise UnsafeUrl(f"{name} {what}", vendor=vendor, remedy=f"{remedy.format(name=name)}.")
    return base_url.rstrip("/")


def _wrong_with(url: str) -> tuple[str, str] | None:
    """What is wrong with a base URL, and what to do; None for a valid one."""
    form = "Set {name} to an address of the form https://host[:port][/path]"
    scheme, separator, rest = url.partition("://")
    if not url:
        return "is empty", form
    if "?" in url or "#" in url:
        return "has a query or a fragment (after ? or #)", "Remove it from {name}"
    if "@" in rest.partition("/")[0] or "@" in url.partition("/")[0]:
        return (
            "has a user name or a password in it",
            "Remove it from {name}: credentials have their own variables",
        )
    if not separator or not re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return f"has no scheme: {excerpt(url, 100)!r}", "Write https:// before the host in {name}"
    if scheme.lower() not in ("http", "https"):
        return f"has the scheme {excerpt(scheme, 20)!r}, but only http and https are supported", form
    if not same_origin(url, url):
        return f"is not a valid address: {excerpt(url, 100)!r}", form
    return None


def check_headers(vendor: str, headers: Mapping[str, str], credentials_from: Sequence[str]) -> None:
    """Raise PermanentError for a header that cannot be sent. The exceptions of httpx and h11 would quote its value."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            variables = " and ".join(credentials_from) or "its source"
            raise PermanentError(
                f"the header {name} contains a character that cannot be sent, perhaps a line break",
                vendor=vendor,
                remedy=f"Check {variables}.",
            )


class Connections:
    """A pool of persistent connections to one vendor. It does not follow redirects.

    Requests go to httpx's transport directly. The steps of httpx's client in between (redirects, authentication, hooks,
    a log line per request) are not used here, and take a tenth of the time of a small request.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], timeouts: Timeouts, transport: httpx.BaseTransport | None
    ) -> None:
        # Only a part of the environment is used: SSL_CERT_FILE and an https proxy. A ~/.netrc would add an unexpected
        # Authorization header, and HTTP_PROXY would send credentials to a third party unencrypted.
        tls = tls_context(httpx.URL(base_url).scheme == "https")
        self._transport = transport or LeanTransport(tls, proxy=https_proxy(base_url))
        self._headers = _merged(httpx.Headers(_HEADERS), headers)
        self._cookies = httpx.Cookies()
        self._timeouts = {"connect": timeouts.connect, "read": timeouts.read, "write": timeouts.write}

    def request(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        *,
        json: Any = None,
        content: bytes | None = None,
        trace: Trace,
        left: Callable[[], float],
    ) -> httpx.Request:
        """Build a request with the common headers and cookies.

        trace: called with the steps of its exchange. left: returns how many seconds are left for the exchange.
        """
        return httpx.Request(
            method,
            url,
            headers=_merged(self._headers, headers),
            cookies=self._cookies,
            json=json,
            content=content,
            extensions={"timeout": self._timeouts, "trace": trace, "left": left},
        )

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request. The caller reads the body of the response and closes it."""
        response = self._transport.handle_request(request)
        response.request = request
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s -> %d", request.method, request.url, response.status_code)
        if "set-cookie" in response.headers:
            self._cookies.extract_cookies(response)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


def _merged(common: httpx.Headers, more: Mapping[str, str]) -> httpx.Headers:
    if not more:
        return common
    merged = httpx.Headers(common)
    merged.update(more)
    return merged


@cache
def tls_context(https: bool) -> ssl.SSLContext:
    """The trusted authorities, loaded once, because that takes 40 ms. Empty for plain http."""
    context = httpx.create_ssl_context() if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context


def https_proxy(base_url: str) -> str | None:
    """The environment's proxy for https; None for plain http, where the proxy could read the credentials.

    Raises UnsafeUrl if it is not the address of an HTTP proxy.
    """
    url = httpx.URL(base_url)
    netloc = url.netloc.decode("ascii")  # NO_PROXY may name a port, and an IPv6 address with or without brackets
    if url.scheme != "https" or urllib.request.proxy_bypass(url.host) or urllib.request.proxy_bypass(netloc):
        return None
    if not (proxy := urllib.request.getproxies().get("https")):
        return None
    address = proxy if "://" in proxy else f"http://{proxy}"
    try:
        without_login = str(httpx.URL(address).copy_with(userinfo=b""))
    except httpx.InvalidURL:
        without_login = ""
    if not same_origin(without_login, without_login):
        raise UnsafeUrl(
            "HTTPS_PROXY is not the address of an HTTP proxy",
            remedy="Set it to http://[user:password@]host:port, or add the vendor's host to NO_PROXY.",
        )
    return address
