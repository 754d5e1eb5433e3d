"""JSON values are stored with their kind: numbers as numbers, strings as strings, lists as lists; no value changes.

Every test uses all ways of inspecting a file: by Python (small files), by its layout (large files whose records are
similar), and by the database (other large files).
"""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.catalog import table_columns
from orgdata_dagster.warehouse.commit.target import PartitionLoad, Target
from orgdata_dagster.warehouse.commit.transaction import commit
from orgdata_dagster.warehouse.names import OWN_PREFIX, TableName
from orgdata_dagster.warehouse.pages import json_layout, json_pages, json_values
from orgdata_dagster.warehouse.pages.json_numbers import MARK
from orgdata_dagster.warehouse.pages.stage import Stage, StagedPage
from orgdata_dagster_tests.warehouse.rig import DAY, NOON, Rig
from orgdata_dagster_tests.warehouses import fewer_on_a_lake

INSTANT = "TIMESTAMP WITH TIME ZONE"
_numbers = itertools.count()


@pytest.fixture(params=["python", "layout", "database"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "python":
        monkeypatch.setattr(json_values, "SMALL", 0)
    if request.param == "database":
        monkeypatch.setattr(json_layout.Layout, "see", lambda layout, *_: setattr(layout, "known", False))
    return str(request.param)


def land(rig: Rig, *pages: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, list[Any]]]:
    """Land pages (column -> its values as JSON) in one commit each; returns the columns' types and values as JSON."""
    target = Target(TableName("acme", f"t{next(_numbers)}"), write_disposition="append")
    expected: Mapping[str, str] = {}
    for page in pages:
        stage = Stage(rig.connection, expected=expected)
        stage.add(StagedPage(prepared(rig, page), DAY))
        expected = commit(rig.warehouse, target, stage, [PartitionLoad(DAY, NOON)], run_id="run").expected
    with rig.looking() as connection:
        types = table_columns(connection, target.table)
        found = {name: kind for name, kind in types.items() if not name.startswith(OWN_PREFIX) and name != "n"}
        # to_json() would change the spelling of numbers in JSON values
        texts = {name: name if kind == "JSON" else f"to_json({name})" for name, kind in found.items()}
        values = ", ".join(f"CAST({text} AS VARCHAR)" for text in texts.values())
        rows = connection.execute(f"SELECT {values} FROM {target.table.sql} ORDER BY _orgdata_loaded_at, n").fetchall()
    return {name: (kind, [row[at] for row in rows]) for at, (name, kind) in enumerate(found.items())}


def prepared(rig: Rig, page: Mapping[str, Sequence[str]]) -> json_pages.JsonPage:
    rows = itertools.zip_longest(*page.values(), fillvalue="null")
    records = [{"n": str(number), **dict(zip(page, row, strict=True))} for number, row in enumerate(rows)]
    path = rig.folder / f"page-{next(_numbers)}.json"
    path.write_text("[" + ",".join("{" + ",".join(f'"{k}":{v}' for k, v in r.items()) + "}" for r in records) + "]")
    return json_pages.prepare(path, rig.connection)


def read(texts: Iterable[str | None]) -> list[Any]:
    return [json.loads(text) for text in texts if text is not None]


KINDS = [
    (["1", "2"], "BIGINT"),
    (["1", "1.5", "-3", "1234567.89"], "DOUBLE"),
    (["1.10", "2.25"], "DOUBLE"),
    (["1e3", "-0", "0"], "DOUBLE"),
    (["1.5", "9007199254740993"], "VARCHAR"),
    (["0.12345678901234567", "0.12345678901234568"], "DECIMAL(18,17)"),
    (["true", "false", "null"], "BOOLEAN"),
    (['"1"', '"2"'], "VARCHAR"),
    (['"1.5"', '"2"'], "VARCHAR"),
    (['"true"'], "VARCHAR"),
    (['""', "null"], "VARCHAR"),
    (['"2026-01-31"'], "DATE"),
    (['"2026-02-30"'], "VARCHAR"),
    (['"2026-01-31T00:00:00.000Z"'], INSTANT),
    (['["a","b"]', "[]", "null", '["é\\u00e9", null, "1"]'], "VARCHAR[]"),
    (["[1, 2]", "[]"], "BIGINT[]"),
    (["[true]"], "BOOLEAN[]"),
    (["[0.5,2.5]"], "DOUBLE[]"),
    (["[0, 2.5]"], "JSON"),
    (['["a", 1]'], "JSON"),
    (['[{"a": 1.10, "b": "\\"q\\""}]', "[]"], "JSON"),
    (["[[1]]"], "JSON"),
    (['{"a": 1.50}', "{}"], "JSON"),
    (['{"a": 1}', "[1]"], "JSON"),
    (['"1"', "1"], "VARCHAR"),
    (["[1]", '"x"'], "VARCHAR"),
]


def test_each_kind_has_its_types(rig: Rig) -> None:
    found = land(rig, {f"c{number}": values for number, (values, _) in enumerate(KINDS)})
    assert [kind for kind, _ in found.values()] == [kind for _, kind in KINDS]
    for (kind, landed), (values, _) in zip(found.values(), KINDS, strict=True):
        if kind not in ("VARCHAR", INSTANT) and not kind.startswith("DECIMAL"):
            assert read(landed) == [json.loads(value) for value in values if value != "null"]


CHANGES: list[tuple[str, str, str, list[Any]]] = [
    ("1", "1.5", "DOUBLE", [1, 1.5]),
    ("1.5", "2", "DOUBLE", [1.5, 2]),
    ("1", '"2"', "VARCHAR", ["1", "2"]),
    ('"1"', "2", "VARCHAR", ["1", "2"]),
    ('"2026-01-01"', '"soon"', "VARCHAR", ["2026-01-01", "soon"]),
    ("[]", "[1]", "BIGINT[]", [[], [1]]),
    ('["a"]', '[{"a": 1}]', "JSON", [["a"], [{"a": 1}]]),
    ('["a"]', '{"a": 1}', "JSON", [["a"], {"a": 1}]),
    ('["a", null]', '"x"', "VARCHAR", ['["a",null]', "x"]),
    ('{"a": 1}', "1", "VARCHAR", ['{"a":1}', "1"]),
    ("null", "[1]", "BIGINT[]", [[1]]),
    ("true", "null", "BOOLEAN", [True]),
    ("true", '"true"', "VARCHAR", ["true", "true"]),
]


def test_a_later_page_of_another_kind_widens_the_column(rig: Rig) -> None:
    before = {f"c{number}": [change[0]] for number, change in enumerate(CHANGES)}
    after = {f"c{number}": [change[1]] for number, change in enumerate(CHANGES)}
    found = land(rig, before, after)
    assert [(kind, read(values)) for kind, values in found.values()] == [change[2:] for change in CHANGES]


def test_the_pages_of_one_commit_share_their_types(rig: Rig) -> None:
    stage = Stage(rig.connection)
    for value in ("5", '"5"', '{"a": 1}'):
        stage.add(StagedPage(prepared(rig, {"x": [value]}), DAY))
        stage.inspect()
    assert stage.columns["x"].fits == ()


def test_flattened_members_have_kinds_too(rig: Rig) -> None:
    path = rig.folder / "page.json"
    path.write_text('[{"o": {"a": "1", "b": 1, "c": [1]}}, {"o": null}]')
    page = json_pages.prepare(path, rig.connection, flatten=["o"])
    assert {key: set(found.kinds) for key, found in page.values.items()} == {
        ("o", "a"): {"string"},
        ("o", "b"): {"number"},
        ("o", "c"): {"list"},
    }


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1.10", "1e5", "-0", "1E+2", "0.1000000000000000055511151231257827"]),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=MARK), max_size=5).map(json.dumps)
LEAVES = st.one_of(NUMBERS, st.booleans().map(json.dumps), st.just("null"), TEXTS)
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda members: "{" + ",".join(f"{json.dumps(name)} : {value}" for name, value in members.items()) + "}"
        ),
    ),
    max_leaves=5,
)
COLUMN = st.one_of(
    *(st.lists(each, min_size=1, max_size=4) for each in (NUMBERS, LEAVES, NESTED)),
    st.lists(st.lists(LEAVES, max_size=3).map(lambda items: f"[{','.join(items)}]"), min_size=1, max_size=4),
)


PAGE = st.lists(COLUMN, min_size=12, max_size=12).map(
    lambda columns: {f"c{at}": each for at, each in enumerate(columns)}
)


@settings(max_examples=fewer_on_a_lake(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAGE, PAGE)
def test_no_value_changes(rig: Rig, first: dict[str, list[str]], second: dict[str, list[str]]) -> None:
    """Numbers keep all their digits, strings never become numbers, and nested values stay the same."""
    for name, (kind, landed) in land(rig, first, second).items():
        sent = [value for page in (first, second) for value, _ in padded(page, name)]
        for text, meant in zip(landed, map(exact, sent), strict=True):
            if text is None or meant is None:
                assert text == meant
            elif isinstance(meant, str):
                assert kind in ("VARCHAR", "DATE", INSTANT, "TIMESTAMP")
                assert json.loads(text) == meant or kind != "VARCHAR"
            else:
                assert exact(json.loads(text) if kind == "VARCHAR" else text) == meant


def padded(page: Mapping[str, list[str]], name: str) -> Iterable[tuple[str, int]]:
    longest = max(map(len, page.values()))
    return zip([*page[name], *["null"] * (longest - len(page[name]))], range(longest), strict=True)


def exact(text: str) -> Any:
    """A JSON text with its numbers exact."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
