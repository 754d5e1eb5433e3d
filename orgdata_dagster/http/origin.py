"""Origins: credentials are sent to one scheme, host and port only, and links must not leave it.

Here: comparing origins, and resolving a `next` link or a `Location` header within one.
Add here when: there is another way in which a link can name one host and reach another.
Keep out: following redirects (client.py).
"""

import re
from functools import lru_cache
from urllib.parse import urljoin

import httpx

from orgdata_dagster.http.errors import UnsafeUrl

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535
_LONGEST_LABEL = 63
# Parsers disagree about these (a browser reads `\` as `/` and `https:x` as `https://x`), and a link can use the
# disagreement to hide its host.
_AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f]|^\s*[a-z][a-z0-9+.-]*:(?!//[^/])", re.IGNORECASE)


def same_origin(base: str, url: str) -> bool:
    """Whether two URLs have the same scheme, host and port. False for an invalid URL or one with user info."""
    ours, theirs = _origin(base), _origin(url)
    return ours is not None and ours == theirs


@lru_cache(maxsize=256)  # a run asks the same few endpoints thousands of times
def resolve(base_url: str, link: str) -> str:
    """The absolute URL of a vendor's relative or absolute link, without its fragment.

    Raises UnsafeUrl if it leaves the origin of `base_url`.
    """
    try:
        target = urljoin(base_url, link) if not _AMBIGUOUS.search(link) else ""
    except ValueError:
        target = ""
    if not same_origin(base_url, target):
        # Hosts only, because user info, path and query may contain secrets.
        raise UnsafeUrl(f"a link leads from {_host(base_url)} to {_host(target) or 'an invalid address'}")
    return target.partition("#")[0]


@lru_cache(maxsize=64)  # every request has a base URL and an endpoint, and parsing them is its most expensive part
def _origin(url: str) -> tuple[str, bytes, int] | None:
    # Parsed by httpx, which connects: another parser might see another host.
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    port = _DEFAULT_PORTS.get(parsed.scheme) if parsed.port is None else parsed.port
    if (
        parsed.scheme not in _DEFAULT_PORTS
        or port is None
        or port > _LAST_PORT
        or not _is_host(parsed.raw_host)
        or parsed.userinfo
    ):
        return None
    return (parsed.scheme, parsed.raw_host, port) if not _AMBIGUOUS.search(url) else None


def _is_host(name: bytes) -> bool:
    """Whether no label is empty or longer than DNS allows; Python's resolver fails on others with a UnicodeError."""
    return all(0 < len(label) <= _LONGEST_LABEL for label in name.removesuffix(b".").split(b"."))


def _host(url: str) -> str:
    origin = _origin(url)
    return f"{origin[0]}://{origin[1].decode()}:{origin[2]}" if origin else ""
