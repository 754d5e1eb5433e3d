"""The border of a vendor: credentials travel to one scheme, host and port, and links may not lead elsewhere.

What lives here: comparing origins, and resolving a `next` link or a `Location` inside one.
Add here when: there is another trick by which a link names one host and reaches another.
Keep out: following redirects (`client`).
"""

import re
from functools import lru_cache
from urllib.parse import urljoin

import httpx

from orgdata_dagster.http.errors import UnsafeUrl

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535
# Parsers disagree about these (a browser takes `\` for `/` and `https:x` for `https://x`), and a disagreement
# is how a link lies about its host.
_AMBIGUOUS = re.compile(r"[\\\x00-\x1f\x7f]|^\s*[a-z][a-z0-9+.-]*:(?!//[^/])", re.IGNORECASE)


def same_origin(base: str, url: str) -> bool:
    """Whether two URLs share scheme, host and effective port; False for user info, and for what is no URL."""
    ours, theirs = _origin(base), _origin(url)
    return ours is not None and ours == theirs


def resolve(base_url: str, link: str) -> str:
    """The absolute URL of a vendor's link, relative or not, without its fragment.

    Raises UnsafeUrl where it would leave the origin of `base_url`.
    """
    try:
        target = urljoin(base_url, link) if not _AMBIGUOUS.search(link) else ""
    except ValueError:
        target = ""
    if not same_origin(base_url, target):
        # Hosts only: a link's user info, path and query may hold what must not be shown.
        raise UnsafeUrl(f"a link leads from {_host(base_url)} to {_host(target) or 'an address that is none'}")
    return target.partition("#")[0]


@lru_cache(maxsize=64)  # base URL and endpoints come with every request, and parsing is what one costs most after I/O
def _origin(url: str) -> tuple[str, bytes, int] | None:
    # Parsed by httpx, since httpx connects: a second parser would be a second opinion about the host.
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    port = _DEFAULT_PORTS.get(parsed.scheme) if parsed.port is None else parsed.port
    if (
        parsed.scheme not in _DEFAULT_PORTS
        or port is None
        or port > _LAST_PORT
        or not parsed.raw_host
        or parsed.userinfo
    ):
        return None
    return (parsed.scheme, parsed.raw_host, port) if not _AMBIGUOUS.search(url) else None


def _host(url: str) -> str:
    origin = _origin(url)
    return f"{origin[0]}://{origin[1].decode()}:{origin[2]}" if origin else ""
