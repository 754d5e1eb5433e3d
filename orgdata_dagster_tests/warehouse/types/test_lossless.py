"""Every value comes back from the warehouse with its original text. Columns only get a type if that is possible."""

import itertools
import re
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.names import TableName
from orgdata_dagster_tests.warehouse.rig import Rig
from orgdata_dagster_tests.warehouses import fewer_on_a_lake

NUMBERS = itertools.count()
Values = list[str | None]

COLUMNS: list[tuple[Values, str]] = [
    (["00123", "7"], "VARCHAR"),
    (["1.10", "1.9"], "VARCHAR"),
    (["1.5", "2.25"], "DOUBLE"),
    (["10.00", "9.50"], "DECIMAL(18,2)"),
    (["-10.00", "0.50"], "DECIMAL(18,2)"),
    (["1234567890123456789012345678.25", "1.50"], "DECIMAL(38,2)"),
    (["123456789012345678901234567890", "1"], "VARCHAR"),
    (["0.123456789012345678901234567891"], "DECIMAL(38,30)"),
    (["N/A", "1"], "VARCHAR"),
    (["null", "NULL", None], "VARCHAR"),
    (["NaN", "nan", "1.5"], "VARCHAR"),
    (["nan"], "VARCHAR"),
    (["inf", "-inf"], "VARCHAR"),
    (["9007199254740993", "1"], "BIGINT"),
    (["9007199254740993", "1.5"], "VARCHAR"),
    (["9223372036854775807", "-9223372036854775808"], "BIGINT"),
    (["9223372036854775808"], "VARCHAR"),
    (["true", "FALSE", "True"], "BOOLEAN"),
    (["true", "1"], "VARCHAR"),
    (["t", "f"], "VARCHAR"),
    (["2026-03-01", "1999-12-31"], "DATE"),
    (["2026-3-1"], "VARCHAR"),
    (["2026-02-30"], "VARCHAR"),
    (["infinity", "-infinity"], "VARCHAR"),
    (["epoch"], "VARCHAR"),
    (["0000-12-31", "2026-03-01"], "VARCHAR"),  # Python and pandas know the years 1 to 9999
    (["0000-00-00", "2026-03-01"], "VARCHAR"),
    (["0001-01-01", "9999-12-31"], "DATE"),
    (["0000-12-31T00:00:00Z", "2026-03-01T10:00:00Z"], "VARCHAR"),
    (["0000-12-31T00:00:00.000Z"], "VARCHAR"),
    (["0000-12-31T00:00:00"], "VARCHAR"),
    (["10000-01-01T00:00:00Z"], "VARCHAR"),
    (["0001-01-01T00:00:00+05:00"], "VARCHAR"),
    (["9999-12-31T23:59:59-05:00"], "VARCHAR"),
    (["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"], "TIMESTAMP WITH TIME ZONE"),
    (["0044-03-15 (BC)"], "VARCHAR"),
    (["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.250Z", "2026-03-01T12:00:00+02:00"], "TIMESTAMP WITH TIME ZONE"),
    (["2026-03-01T10:00:00.1234567Z"], "VARCHAR"),
    (["2026-03-01T10:00:00+99:99"], "VARCHAR"),
    (["2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.Z"], "VARCHAR"),
    (["2026-03-01T10:00:00.5Z", "2026-03-01T 9:00:00.5Z"], "VARCHAR"),
    (["2026-03-01T10:00:00.5Z", "-026-03-01T10:00:00.5Z"], "VARCHAR"),
    (["2026-03-01T10:00:00", "2026-03-01 10:00:00.5"], "TIMESTAMP"),
    (["2026-03-01T10:00:00", "2026-03-01T10:00:00Z"], "VARCHAR"),
    (["2026-03-01T10:00:00.1234567"], "VARCHAR"),
    (["2026-03-01", "2026-03-01T10:00:00Z"], "VARCHAR"),
    (["-0"], "VARCHAR"),
    (["-0.0", "1.5"], "DOUBLE"),
    (["1e5"], "VARCHAR"),
    (["+1"], "VARCHAR"),
    ([" 1", "1 "], "VARCHAR"),
    (["", "1"], "VARCHAR"),
    (["", None], "VARCHAR"),
    ([None, None], "VARCHAR"),
    ([None, "1"], "BIGINT"),
    (['x, "y"\r\nz', "ä 😀\n"], "VARCHAR"),
]


def csv_text(columns: dict[str, Values]) -> str:
    """CSV in which "" is quoted and a missing value is not."""
    lines = [",".join(columns), *(",".join(map(field, row)) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def field(value: str | None) -> str:
    if value is None:
        return ""
    plain = re.fullmatch(r"[^\",\r\n]+", value)
    return value if plain else '"' + value.replace('"', '""') + '"'


def same(stored: str | None, sent: str | None) -> bool:
    """Equal, or two spellings of one instant, of one local time, or of true and false: nothing else may change."""
    if stored is None or sent is None or stored == sent:
        return stored == sent
    if sent.lower() in ("true", "false"):
        return stored == sent.lower()
    shape = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?"
    return bool(re.fullmatch(shape, sent)) and datetime.fromisoformat(stored) == datetime.fromisoformat(sent)


@dataclass
class Landed:
    types: list[str]
    texts: list[Values]


@pytest.fixture(scope="module")
def landed(shared: Rig) -> Landed:
    """All of COLUMNS as one table; a column is filled up with missing values, which decide about no type."""
    height = max(len(values) for values, _ in COLUMNS)
    columns = {f"c{at}": values + [None] * (height - len(values)) for at, (values, _) in enumerate(COLUMNS)}
    shared.land(csv_text({"n": [str(number) for number in range(height)], **columns}))
    by_column = list(zip(*shared.texts("n"), strict=True))[1:]
    return Landed(list(shared.types().values())[1:], [list(values) for values in by_column])


@pytest.mark.parametrize("at", range(len(COLUMNS)), ids=lambda at: str(COLUMNS[at][0])[:40])
def test_a_column_gets_a_type_only_if_every_value_survives_it(landed: Landed, at: int) -> None:
    values, data_type = COLUMNS[at]
    stored = landed.texts[at][: len(values)]
    assert landed.types[at] == data_type
    assert all(map(same, stored, values)), stored


def test_an_instant_is_stored_as_the_moment_it_names(rig: Rig) -> None:
    rig.land("at\n2026-03-01T12:00:00+02:00\n2026-03-01T10:00:00.25Z\n")
    assert rig.texts() == [("2026-03-01T10:00:00.000000Z",), ("2026-03-01T10:00:00.250000Z",)]


def test_a_value_in_a_late_row_counts_too(rig: Rig) -> None:
    """The types are inferred from a sample; a value after it must still be considered."""
    numbers = [str(number) for number in range(1, 30_000)]
    rig.land("\n".join(["value", *numbers, "007"]) + "\n")
    assert rig.types() == {"value": "VARCHAR"}
    assert rig.sql("SELECT count(*) FROM acme.items WHERE value = '007'") == [(1,)]


def test_a_column_that_is_first_filled_on_a_later_page_gets_its_type_there(rig: Rig) -> None:
    rig.land("id,score\n1,\n2,\n", "id,score\n3,1.25\n4,\n")
    assert rig.types() == {"id": "BIGINT", "score": "DECIMAL(18,2)"}


def test_pages_of_one_load_agree_on_a_type(rig: Rig) -> None:
    rig.land("id\n1\n", "id\n2\n", "id\n03\n", "id\n4\n")
    assert rig.types() == {"id": "VARCHAR"}
    assert rig.texts() == [("03",), ("1",), ("2",), ("4",)]


NOTABLE = sorted({value for values, _ in COLUMNS for value in values if value is not None})
FLAVOURS = [
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats().map(repr),
    st.booleans().map(str),
    st.dates().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat(" ")),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(NOTABLE),
]


@st.composite
def columns_of_two_loads(draw: st.DrawFn) -> list[dict[str, Values]]:
    """Columns of mostly one kind of value, here and there with one of another kind."""
    heights = [draw(st.integers(1, 4)), draw(st.integers(1, 4))]
    loads: list[dict[str, Values]] = [{}, {}]
    for number in range(8):
        flavour = draw(st.sampled_from(FLAVOURS))
        value = st.one_of(flavour, flavour, flavour, st.none(), st.sampled_from(NOTABLE))
        for load, height in zip(loads, heights, strict=True):
            load[f"c{number}"] = draw(st.lists(value, min_size=height, max_size=height))
    return loads


@settings(max_examples=fewer_on_a_lake(12), deadline=None)
@given(loads=columns_of_two_loads())
def test_every_stored_value_comes_back(shared: Rig, loads: list[dict[str, Values]]) -> None:
    """In two loads, so that the second may have to widen the columns of the first."""
    target = Target(TableName("acme", f"t{next(NUMBERS)}"))
    for day, load in zip(("2026-03-01", "2026-03-02"), loads, strict=True):
        numbered = {"n": [f"{day} {number}" for number in range(len(load["c0"]))], **load}
        shared.land(csv_text(numbered), partition=day, target=target)
    sent = [row for load in loads for row in zip(*load.values(), strict=True)]
    stored = [row[1:] for row in shared.texts("n", target)]
    assert len(stored) == len(sent)
    for got, expected in zip(stored, sent, strict=True):
        assert all(map(same, got, expected)), (got, expected)
