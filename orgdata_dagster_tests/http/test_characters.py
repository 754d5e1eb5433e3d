"""Invalid characters are replaced and counted, wherever a chunk ends. Valid characters stay unchanged."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.http.characters import Watch, replace_invalid
from orgdata_dagster.http.errors import BadBody


def replaced(folder: Path, body: bytes) -> tuple[bytes, int]:
    path = folder / "body"
    path.write_bytes(body)
    count = replace_invalid(path) if suspicious(body) else 0
    return path.read_bytes(), count


def suspicious(body: bytes, size: int = 3) -> bool:
    watch = Watch()
    for start in range(0, len(body), size):
        watch.see(body[start : start + size])
    return watch.end()


@pytest.mark.parametrize(
    ("body", "becomes", "count"),
    [
        (rb'{"a": "cut \ud83d"}', rb'{"a": "cut \ufffd"}', 1),
        (rb'{"a": "\uDE00\ud83d\uD83D"}', rb'{"a": "\ufffd\ufffd\ufffd"}', 3),
        (rb'{"a": "\ud83d\ude00 \\ud83d \\\ud83d"}', rb'{"a": "\ud83d\ude00 \\ud83d \\\ufffd"}', 1),
        (rb'{"a": "\u0000"}', rb'{"a": "\ufffd"}', 1),
        (b'{"a": "\x00\xff\x0b"}', b'{"a": "\xef\xbf\xbd\xef\xbf\xbd\\u000b"}', 2),
        (b'{"a": "\xed\xa0\xbd"}', b'{"a": "\xef\xbf\xbd"}', 1),
        (b"a,b\n1,\xffx\x00\n", b"a,b\n1,\xef\xbf\xbdx\xef\xbf\xbd\n", 2),
        (b"a,b\n1,\\ud83d\n", b"a,b\n1,\\ud83d\n", 0),  # six characters of a CSV, no escape
        (b"a\ncut \xc3", b"a\ncut \xef\xbf\xbd", 1),
        ("a,b\n1,é😀\ufffd\n".encode(), "a,b\n1,é😀\ufffd\n".encode(), 0),
        (b"\xef\xbb\xbf" + rb'[{"a": "\ud83d"}]', b"\xef\xbb\xbf" + rb'[{"a": "\ufffd"}]', 1),
    ],
)
def test_each_bad_character_becomes_one_replacement(tmp_path: Path, body: bytes, becomes: bytes, count: int) -> None:
    assert replaced(tmp_path, body) == (becomes, count)
    assert replaced(tmp_path, becomes)[0] == becomes


def test_a_body_in_another_encoding_is_refused_and_unchanged(tmp_path: Path) -> None:
    with pytest.raises(BadBody, match="not UTF-8"):
        replaced(tmp_path, "a,b\n1,grün\n".encode("utf-16"))
    assert (tmp_path / "body").read_bytes() == "a,b\n1,grün\n".encode("utf-16")


TEXT = st.text(
    st.characters(codec=None) | st.sampled_from(["\ud83d", "\ude00", "\x00", "\\", "u", "d", "8"]), max_size=9
)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXT, max_size=4), st.booleans(), st.integers(1, 9))
def test_any_text_is_repaired_with_any_size_of_chunks(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool, chunk: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    body = json.dumps(texts, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    want = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    if not ascii_only:  # the bytes of two halves are no character, other than their two escapes
        want = ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text) for text in texts]
    want = [text.replace("\x00", "\ufffd") for text in want]
    path.write_bytes(body)
    if suspicious(body, chunk):
        replace_invalid(path, chunk_size=chunk, a_few=1000)
    assert json.loads(path.read_bytes()) == want
