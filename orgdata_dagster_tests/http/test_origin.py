"""Links stay on the vendor's origin, even if they are malicious."""

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orgdata_dagster.http.errors import UnsafeUrl
from orgdata_dagster.http.origin import resolve, same_origin

BASE = "https://good.example/v1/data"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://good.example", "https://good.example:443/x?y#z"),
        ("http://good.example:80/a", "HTTP://GOOD.example/b"),
        ("https://good.example:8443", "https://good.example:8443/"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example/x"),
        ("http://[::1]:9/a", "http://[::1]:9/b"),
    ],
)
def test_equal_origins(one: str, other: str) -> None:
    assert same_origin(one, other)
    assert same_origin(other, one)


@pytest.mark.parametrize(
    "url",
    [
        "http://good.example/v1",
        "https://good.example:444/v1",
        "https://good.example:0/v1",
        "https://evil.example/v1",
        "https://good.example.evil.example/",
        "https://good.example./",
        "https://user@good.example/",
        "https://user:pass@good.example/",
        "https://good.example@evil.example/",
        "https://good.example\\@evil.example/",
        "https:good.example",
        "https:///good.example/",
        "https://good%2eexample/",
        "https://good.example:99999999/",
        "https://[::1",
        "ftp://good.example/",
        "//good.example/",
        "/v1",
        "",
        "https://",
    ],
)
def test_different_origins(url: str) -> None:
    assert not same_origin(BASE, url)


def test_urls_with_user_info_never_have_the_same_origin() -> None:
    assert not same_origin("https://user@good.example/", "https://user@good.example/")


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://good.example/v1/data?page=2#top", "https://good.example/v1/data?page=2"),
        ("HTTPS://GOOD.example:443/next", "https://GOOD.example:443/next"),
        ("/v1/other?page=2", "https://good.example/v1/other?page=2"),
        ("other", "https://good.example/v1/other"),
        ("?page=2", "https://good.example/v1/data?page=2"),
        ("//good.example/x", "https://good.example/x"),
        ("/x?at=https://evil.example/", "https://good.example/x?at=https://evil.example/"),
    ],
)
def test_safe_links_are_resolved(link: str, url: str) -> None:
    assert resolve(BASE, link) == url


TRICKS = [
    "//evil.example/x",
    "http://good.example/x",
    "https://good.example:8443/x",
    "https://good.example@evil.example/",
    "https://user:pass@good.example/",
    "https:good.example",
    "https:evil.example/x",
    "https:/\\evil.example",
    "\\\\evil.example\\x",
    "/\\evil.example",
    "https:///evil.example",
    "\thttps://evil.example",
    "ht\ntps://evil.example",
    "/x\r\nHost: evil.example",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://[evil",
    "https://good.example%00.evil.example/",
]


@pytest.mark.parametrize("link", TRICKS)
def test_unsafe_links_are_refused(link: str) -> None:
    with pytest.raises(UnsafeUrl):
        resolve(BASE, link)


def test_the_error_names_only_the_host_of_the_link() -> None:
    with pytest.raises(UnsafeUrl, match=r"to https://evil\.example:443") as caught:
        resolve(BASE, "https://evil.example/path-of-mine?api-key=hush")
    assert "hush" not in str(caught.value)
    assert "path-of-mine" not in str(caught.value)


_SIGNS = ["https:", "http:", "/", "//", "\\", "@", ":", "?", "#", ".", "..", "\t", " ", "[", "]", "%2f", "%00"]
_PIECES = st.lists(st.sampled_from([*_SIGNS, "good.example", "evil.example", "443", "é", "x"]), max_size=9).map("".join)


@given(link=_PIECES | st.text(max_size=30))
@example(link="https://good.example")
def test_a_resolved_link_always_leads_to_the_base_origin(link: str) -> None:
    try:
        url = httpx.URL(resolve(BASE, link))
    except UnsafeUrl:
        return
    assert (url.scheme, url.host, url.port, url.userinfo) == ("https", "good.example", None, b"")
