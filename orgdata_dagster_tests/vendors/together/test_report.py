"""The CSV out of the JSON string, against Python's own JSON reader."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.sandbox.together.big import BigReport
from orgdata_dagster.vendors.together.report import unwrap
from orgdata_dagster_tests.examples import examples

# what is hard about a string that is read in pieces: escapes, pairs of surrogates, characters of several bytes
PARTS = ["\\", '"', "/", "u", "d83d", "\r", "\n", "\0", "a", "é", "東", "👩🏽", "\ufeff"]
AWKWARD = st.lists(st.sampled_from(PARTS)).map("".join)
MEMBERS = st.dictionaries(st.text(max_size=3).filter(lambda name: name != "report"), st.one_of(
    AWKWARD, st.none(), st.floats(allow_nan=False), st.integers(), st.lists(st.dictionaries(AWKWARD, st.booleans()))
), max_size=2)  # fmt: skip


def unwrapped(folder: Path, body: bytes, piece: int = 1 << 16) -> str:
    (folder / "body").write_bytes(body)
    unwrap(folder / "body", folder / "csv", piece=piece)
    return (folder / "csv").read_bytes().decode()


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(AWKWARD, MEMBERS, MEMBERS, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 20), st.data())
def test_any_string_in_pieces_of_any_size(
    tmp_path: Path,
    text: str,
    before: dict[str, object],
    after: dict[str, object],
    escaped: bool,
    indent: int | None,
    piece: int,
    data: st.DataObject,
) -> None:
    answer = {**before, "report": text, **{name: after[name] for name in after if name not in before}}
    body = json.dumps(answer, ensure_ascii=escaped, indent=indent).encode()
    assert unwrapped(tmp_path, body, piece) == text
    with pytest.raises(BadBody):
        unwrapped(tmp_path, body[: data.draw(st.integers(0, len(body) - 1))], piece)


def test_a_report_of_many_pieces(tmp_path: Path) -> None:
    inside = b"".join(BigReport(2_000_000).export().pieces)
    assert unwrapped(tmp_path, b'{"report":"' + inside + b'"}') == json.loads(b'"' + inside + b'"')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "expected '{', found the end"),
        ("<html>", "expected '{', found '<html>'"),
        ("[]", "expected '{'"),
        ("{}", "no members 'report'"),
        ('{"error": "no such organisation"}', "no members 'report'"),
        ('{"report": null}', "found 'null}'"),
        ('{"report": ["a"]}', "expected "),
        ('{"report": "a", "report": "b"}', "2 members 'report'"),
        ('{"report": "a"} {}', "has text after its end"),
        ('{"report": "a",}', "found '}'"),
        ('{"report": "a" "b"}', "expected "),
        ('{report: "a"}', "expected "),
        ('{"report": "a\nb, and some more text"}', "invalid JSON string"),
        (r'{"report": "\x41, and some more text"}', "invalid JSON string"),
        (r'{"report": "\ud83d alone, and more text"}', "invalid JSON string"),
        (r'{"report": "\ude00 alone, and more text"}', "invalid JSON string"),
        ('{"other": "' + 2_000_000 * "x" + '", "report": "a"}', "not the expected JSON"),
        ('{"other": ' + 100_000 * "[" + "}", "not the expected JSON"),
    ],
)
def test_anything_else_is_not_a_report(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(BadBody) as caught:
        unwrapped(tmp_path, body.encode())
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadBody, match="not UTF-8"):
        unwrapped(tmp_path, b'{"report": "caf\xe9"}')
