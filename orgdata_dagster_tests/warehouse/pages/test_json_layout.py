"""The layout of similar records is found without a parser, and equals the parser's. Other files are left to the parser.

Bodies count as large in these tests, and are read in parts of a few records: a record may differ in a later part.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgdata_dagster.http.errors import BadBody
from orgdata_dagster.http.records import Download
from orgdata_dagster.orchestration.assets.readers import MeasuredPage, json_reader
from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages import extents, json_bytes, json_pages, json_values
from orgdata_dagster.warehouse.pages.json_numbers import MARK
from orgdata_dagster.warehouse.pages.json_pages import JsonColumn, JsonPage, Key
from orgdata_dagster_tests.warehouse.rig import Rig

ALIKE = ['{"a": 1, "b": "x", "c":[2.5, {"a": 1}]}', '{"a":  null, "b": "{:,\\"}", "c":\n true}'] * 20


@pytest.fixture(autouse=True)
def large_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "SMALL", 0)
    monkeypatch.setattr(json_bytes, "CHUNK", 256)


def prepared(rig: Rig, records: list[str]) -> JsonPage:
    return json_pages.prepare(rig.file(f"[{', '.join(records)}]"), rig.connection)


def parsed(rig: Rig, records: list[str]) -> Mapping[Key, JsonColumn]:
    """What a look with the parser finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "SMALL", 1 << 30)
        page = prepared(rig, records)
    assert page.parsed
    return page.values


def test_members_and_kinds_are_found_without_a_parser(rig: Rig) -> None:
    page = prepared(rig, ALIKE)
    assert not page.parsed
    assert (page.records, page.values) == (40, parsed(rig, ALIKE))
    assert page.values["c",].kinds == {"list", "boolean"}


AT = [f"2026-02-03T04:05:{number:02}.{'0123456'[: number % 7]}Z".replace(".Z", "Z") for number in range(60)]
ODD_INSTANTS = ("null", '""', '" 2026-02-03T04:05:06Z"', '"2026-02-30T04:05:06Z"', '"2026-02-03T04:05:06+01:00"', "1")


def test_the_instants_of_alike_records_are_those_that_the_parser_reads(rig: Rig) -> None:
    records = [f'{{"at":"{at}", "a": [1, "{{"], "b": "\\"x\\""}}' for at in AT]
    path = rig.file(f"[{', '.join(records)}]")
    page = json_pages.prepare(path, rig.connection, cursor="at")
    assert page.instants is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extents, "LARGE", 1)
        quick = extents.measure(rig.connection, page, "at", proven_later=True)
    assert quick == extents.measure(rig.connection, page, "at")


@pytest.mark.parametrize("odd", ODD_INSTANTS)
def test_other_instants_are_left_to_the_parser(rig: Rig, odd: str) -> None:
    values = [*(f'"{at}"' for at in AT), odd]
    page = json_pages.prepare(
        rig.file("[" + ",".join('{"at":' + value + "}" for value in values) + "]"), rig.connection, cursor="at"
    )
    assert not page.parsed
    assert page.instants is None


DIFFERENT = {
    "one more": '{"a": 1, "b": 2, "c": 3, "d": 4}',
    "one less": '{"a": 1, "b": 2}',
    "another name": '{"a": 1, "b": 2, "d": 3}',
    "a longer name": '{"a": 1, "bb": 2, "c": 3}',
    "another order": '{"b": 1, "a": 2, "c": 3}',
    "a blank": '{"a" : 1, "b": 2, "c": 3}',
    "another blank": '{ "a": 1,"b": 2, "c": 3}',
    "an escape": '{"\\u0061": 1, "b": 2, "c": 3}',
    "case": '{"A": 1, "b": 2, "c": 3}',
    "nothing": "{}",
    "no number": '{"a": NaN, "b": 2, "c": 3}',
}


@pytest.mark.parametrize("different", [*DIFFERENT.values()], ids=[*DIFFERENT])
@pytest.mark.parametrize("place", [0, 1, 39])
def test_records_that_differ_are_left_to_the_parser(rig: Rig, different: str, place: int) -> None:
    records = [*ALIKE]
    records[place] = different
    page = prepared(rig, records)
    assert page.parsed
    assert page.values == parsed(rig, records)


NAMES = {
    "an escape": '{"\\u0061": 1, "b": 2}',
    "an escaped quote": '{"\\"": 1, "b": 2}',
}
ODD = {
    "case": '{"a": 1, "A": "x"}',
    "empty": '{"": 1, "b": [1]}',
    "letters": '{"é": 1, "李": {}}',
    "signs": '{"a\'b": 1, "~/": true, "[0]": "{"}',
    "blanks": '{\n  "a" : 1 ,\n  "b"\t:\n  "x"\n}',
    "marked": '{"a": 1.10, "b": [1e5], "c": 2.5}',
}


@pytest.mark.parametrize("record", [*(NAMES | ODD).values()], ids=[*NAMES, *ODD])
def test_unusual_names(rig: Rig, record: str) -> None:
    page = prepared(rig, [record] * 30)
    assert page.parsed == (record in NAMES.values())
    assert page.values == parsed(rig, [record] * 30)
    rows = rig.connection.execute(f"FROM {page.reading([page]).source}").fetchall()
    assert [len(row) for row in rows] == [len(json.loads(record)) + 1] * 30


def test_many_empty_records_are_still_records(rig: Rig) -> None:
    """The database's reader took them for values, and stored whole records in the column."""
    page = prepared(rig, ["{}"] * 30 + ['{"a": 1}'])
    assert page.values == {("a",): JsonColumn(frozenset({"number"}))}
    found = rig.connection.execute(f"SELECT a, count(*) FROM {page.reading([page]).source} GROUP BY ALL")
    assert dict(found.fetchall()) == {None: 30, "1": 1}


@pytest.mark.parametrize("number", [1, 30])
def test_records_without_members_are_rows_without_columns(rig: Rig, number: int) -> None:
    page = prepared(rig, ["{}"] * number)
    assert rig.connection.execute(f"SELECT count(*) FROM {page.reading([page]).source}").fetchall() == [(number,)]


MEMBER = st.tuples(
    st.sampled_from(['"a"', '"b" ', '"é"', '"\\u0061"', '"\\\\"']),
    st.sampled_from(["1", ' "x"', "1.10", "null", '[{"a": 1}, "]"]', '{"a":{}}', '"\\\\"', '"\\",\\""', "false "]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(MEMBER, max_size=3, unique_by=lambda member: json.loads(member[0])), min_size=1, max_size=2))
def test_any_body_gives_the_same_result_as_the_parser(rig: Rig, shapes: list[list[tuple[str, str]]]) -> None:
    records = ["{" + ",".join(f"{name}:{value}" for name, value in members) + "}" for members in shapes]
    records = [*records[:1] * 20, *records[1:]]
    assert prepared(rig, records).values == parsed(rig, records)


@pytest.mark.parametrize(
    "broken",
    [
        '{"a": tru, "b": 1}',
        '{"a": 1 2, "b": 1}',
        '{"a": "\n", "b": 1}',
        '{"a": [1}, "b": 1}',
        '{"a": 1.2.3, "b": 1}',
        '{"a": 1.10.1, "b": 1}',
        '{"a": [1.10, tru], "b": 1}',
        '{"a": [1.10}, "b": 1}',
        '{"a": , "b": 1}',
        '{"a": 1, "b": 1} {"a": 1, "b": 1}',
        '{"a": 1, "a": 1}',
        '{"a": 1, "b": 1}, 7',
        '{"a": 1, "b": 1}, ["a"]',
        '{"a": 1, "b": 1}, null',
    ],
)
@pytest.mark.parametrize("cursor", [None, "b"])
def test_a_malformed_body_never_becomes_a_page(rig: Rig, broken: str, cursor: str | None) -> None:
    sound = '{"a": 1, "b": "2026-01-01T00:00:00Z"}'
    records = [*[sound] * 20, broken.replace('"b": 1', '"b": "2026-01-01T00:00:00Z"')]
    assert fetched(rig, [sound] * 20, cursor).records == 20
    with pytest.raises(BadBody):
        fetched(rig, records, cursor)


def test_a_malformed_body_that_is_not_parsed_to_be_measured_is_unreadable_when_it_is_parsed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser's own error once ended the pull, which did not repeat the request."""
    monkeypatch.setattr(extents, "LARGE", 1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [f'{{"at":"2026-01-01T00:{number // 60:02}:{number % 60:02}Z","ok":true}}' for number in range(300)]
    rows[150] = rows[150].replace("true", "trux")
    page = fetched(rig, rows, "at", proven_later=True)
    assert (page.records, page.lowest) == (300, start)
    with pytest.raises(UnreadablePage, match="not well-formed"):
        page.count_within(start + timedelta(seconds=120), start + timedelta(seconds=180))
    with pytest.raises(UnreadablePage, match="not well-formed") as raised:
        page.rows_at(start)
    assert str(rig.folder) not in str(raised.value)  # the user cannot look there: it is deleted after the run


def fetched(rig: Rig, records: list[str], cursor: str | None, *, proven_later: bool = False) -> MeasuredPage:
    path: Path = rig.file(f"[{','.join(records)}]")
    download = Download(path, 200, httpx.Headers(), path.stat().st_size, None, 0.0, 1, "/things")
    return json_reader(rig.connection, cursor=cursor, proven_later=proven_later)(download)


def test_decimals_that_are_not_quoted_keep_their_spelling(rig: Rig) -> None:
    chance = random.Random(7)
    sent = ["0.0", "-0.0", "100.0", "0.1", "-0.5", "0.05", "0.0001", "0.000001", "1e5", "-0", "7", "1.10", "-10.50"]
    sent += [f"{chance.randrange(10 ** chance.randint(1, 9))}.{chance.randrange(10**9)}" for _ in range(2000)]
    page = prepared(rig, [f'{{"n": "{number}", "x": {text}, "y": [{text}]}}' for number, text in enumerate(sent)])
    assert not page.parsed
    quoted = page.path.read_text().count(MARK)
    assert 0 < quoted < len(sent)  # of both sorts there are some
    found = rig.connection.execute(f"SELECT x, y FROM {page.reading([page]).source} ORDER BY CAST(n AS INT)")
    wrong = [text for text, landed in zip(sent, found.fetchall(), strict=True) if landed != (text, f"[{text}]")]
    assert wrong == []
