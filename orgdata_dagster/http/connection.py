"""The connections to one vendor: where they go, how long they may take, what of the environment they heed.

What lives here: the httpx client and its settings.
Add here when: a setting of the transport (TLS, proxies, timeouts, limits) has to change.
Keep out: requests and answers (`client`).
"""

import re
import ssl
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import httpx

from orgdata_dagster.http.body import ACCEPT_ENCODING
from orgdata_dagster.http.errors import PermanentError, UnsafeUrl
from orgdata_dagster.http.origin import same_origin


@dataclass(frozen=True)
class Timeouts:
    """In seconds. `read` and `write` bound a step, `whole` the exchange: a dripping body would never end."""

    connect: float = 10
    read: float = 120
    write: float = 30
    pool: float = 60
    whole: float = 1800


def checked_base(vendor: str, base_url: str, variable: str = "") -> str:
    """The base URL without a slash at its end. Raises UnsafeUrl if credentials should not be sent to it.

    The value is quoted only where it cannot hold a secret.
    """
    base_url, name = base_url.strip(), variable or "the base URL"
    if wrong := _wrong_with(base_url):
        what, remedy = wrong
        raise UnsafeUrl(f"{name} {what}", vendor=vendor, remedy=f"{remedy.format(name=name)}.")
    return base_url.rstrip("/")


def _wrong_with(url: str) -> tuple[str, str] | None:
    """What is wrong with a base URL, and what to do; None for a good one."""
    form = "Set {name} to an address of the form https://host[:port][/path]"
    scheme, separator, rest = url.partition("://")
    if not url:
        return "is empty", form
    if "?" in url or "#" in url:
        return "has a query or a fragment (what follows ? or #)", "Leave that out of {name}"
    if "@" in rest.partition("/")[0] or "@" in url.partition("/")[0]:
        return (
            "has a user name or a password in it",
            "Leave that out of {name}: credentials have variables of their own",
        )
    if not separator or not re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return f"has no scheme: {url[:100]!r}", "Write https:// before the host in {name}"
    if scheme.lower() not in ("http", "https"):
        return f"has the scheme {scheme[:20]!r}, and only http and https can be used", form
    if not same_origin(url, url):
        return f"is not a valid address: {url[:100]!r}", form
    return None


def check_headers(vendor: str, headers: Mapping[str, str], credentials_from: Sequence[str]) -> None:
    """Raise PermanentError for a header that cannot be sent. Here, since the exceptions of httpx and h11 quote it."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            variables = " and ".join(credentials_from) or "where it comes from"
            raise PermanentError(
                f"the header {name} holds a character that cannot be sent, perhaps a line end",
                vendor=vendor,
                remedy=f"Check {variables}.",
            )


def open_client(
    base_url: str, headers: Mapping[str, str], timeouts: Timeouts, transport: httpx.BaseTransport | None
) -> httpx.Client:
    """A pool of connections that are kept alive; it follows no redirect by itself."""
    return httpx.Client(
        headers={"user-agent": "orgdata", "accept-encoding": ACCEPT_ENCODING, **headers},
        timeout=httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool),
        follow_redirects=False,
        # Not all of the environment: a ~/.netrc would add an Authorization header nobody configured, and
        # HTTP_PROXY would hand credentials to a third party in clear. Extra CAs (SSL_CERT_FILE) and an https
        # proxy are heeded.
        trust_env=False,
        verify=_tls(httpx.URL(base_url).scheme == "https"),
        proxy=None if transport else https_proxy(base_url),
        transport=transport,
    )


@cache
def _tls(https: bool) -> ssl.SSLContext:
    """Whom to trust, read once: to load the authorities takes 40 ms. Without https there is nobody to be trusted."""
    return httpx.create_ssl_context() if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def https_proxy(base_url: str) -> str | None:
    """The environment's proxy, for https alone: it tunnels TLS, one for plain http reads along."""
    url = httpx.URL(base_url)
    if url.scheme != "https" or urllib.request.proxy_bypass(url.host):
        return None
    return urllib.request.getproxies().get("https")
