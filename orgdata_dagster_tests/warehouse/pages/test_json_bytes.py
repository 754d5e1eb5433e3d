"""Reading a JSON body in chunks: records, digits and envelope are complete wherever a chunk ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages import json_bytes
from orgdata_dagster.warehouse.pages.json_bytes import ARRAY, OBJECT, bare, rewrite
from orgdata_dagster.warehouse.pages.json_numbers import MARK

NUMBERS = ["0", "-0", "7", "1.10", "1e5", "-2.5E-3", "12345678901234567890123", "0.1234567890123456789"]


class Number(str):
    """A number as it is written."""


texts = st.text(st.sampled_from('a"\\{}[],:-.e1 \n\u00e9\U0001f600'), max_size=6)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), texts, st.sampled_from(NUMBERS).map(Number)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
records = st.lists(st.dictionaries(texts, values, max_size=3), max_size=4)


def written(value: Any, space: str) -> str:
    """The JSON of a value, its numbers as they are written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join(written(each, space) for each in value)}]"
    if isinstance(value, dict):
        members = (f"{json.dumps(name)}{space}:{space}{written(each, space)}" for name, each in value.items())
        return f"{{{space}{','.join(members)}{space}}}"
    return json.dumps(value, ensure_ascii=False)


def read(text: str) -> Any:
    """The inverse of `written`; marked numbers get their original text."""
    found = json.loads(text, parse_float=Number, parse_int=Number)
    return _unmarked(found)


def _unmarked(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(MARK):
        return read(value.removeprefix(MARK))
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    if isinstance(value, dict):
        return {name: _unmarked(each) for name, each in value.items()}
    return value


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=records, chunk=st.integers(1, 40), space=st.sampled_from(["", " ", "\n"]), before=texts, after=values)
def test_any_size_of_chunks_gives_the_same_result(
    tmp_path: Path, rows: list[dict[str, Any]], chunk: int, space: str, before: str, after: Any
) -> None:
    path = tmp_path / "body.json"
    around = {"note": before, "inner": {"items": [Number("1.5")]}}
    bodies = [(ARRAY, written(rows, space))]
    envelope = written(around, space).rstrip()[:-1] + f',{space}"items"{space}:{space}{written(rows, space)}'
    bodies.append(("items", envelope + f',"after":{written(after, space)}}}'))
    if rows:
        bodies.append((OBJECT, written(rows[0], space)))
    for kind, body in bodies:
        path.write_text(body, encoding="utf-8")
        known = bare(path.read_bytes(), kind)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_bytes, "CHUNK", chunk)
            count, _ = rewrite(path, kind)
        expected = rows[:1] if kind == OBJECT else rows
        assert count == len(expected)
        assert read(path.read_text(encoding="utf-8")) == expected
        assert known is None or path.read_bytes() == known


@pytest.mark.parametrize(
    ("body", "is_bare"),
    [
        ('[{"at": "2026-01-01T00:00:00.000Z", "n": 10, "s": "1e5, -0"}, {"n": -7}]', True),
        ("[]", True),
        *((f'[{{"a": {number}}}]', False) for number in ("-0", "1.10", "1e5", "-2.5E-3", "0.0", "1.10 ")),
        ('[{"a": [1, 2.50]}]', False),
        ('[{"a": [2.50, 1]}]', False),
        ('[{"a": 1}] ', False),
        ('\ufeff[{"a": 1}]', False),
        ('{"a": 1}', False),
    ],
)
def test_a_body_that_needs_no_rewriting_is_recognized(body: str, is_bare: bool) -> None:
    text = body.encode()
    assert bare(text, ARRAY) == (text if is_bare else None)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=records.filter(bool), chunk=st.integers(1, 40), data=st.data())
def test_a_body_truncated_at_any_position_is_refused(
    tmp_path: Path, rows: list[dict[str, Any]], chunk: int, data: st.DataObject
) -> None:
    body = written(rows, "").encode()
    path = tmp_path / "body.json"
    path.write_bytes(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bytes, "CHUNK", chunk)
        with pytest.raises(UnreadablePage):
            rewrite(path, ARRAY)
    assert not list(tmp_path.glob("*.clean"))


def test_an_envelope_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_bytes(b'{"records": [{"a": 1}], "more": %s%s}' % (b"[" * 60_000, b"]" * 60_000))
    with pytest.raises(UnreadablePage, match="envelope that is not well-formed"):
        rewrite(path, "records")
