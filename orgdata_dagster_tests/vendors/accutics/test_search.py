"""The search builder against the document's table, and against the sandbox's parser, which is independent of it."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.accutics import search as vendor
from orgdata_dagster.vendors.accutics.search import OPERATORS_OF, SearchError, parse, search, where
from orgdata_dagster_tests.examples import examples

# vendor_apis/accutics.md, "Searching/filtering": the operators, their aliases and examples
TABLE = {
    "equal": (["eq", "equals", "="], "id", "550e8400-e29b-41d4-a716-446655440000"),
    "notequal": (["neq", "notequals", "!="], "input_medium", "paid_search"),
    "gt": ([">"], "created_at", "2024-01-01T00:00:00Z"),
    "gte": ([">="], "created_at", "2024-01-01T00:00:00Z"),
    "lt": (["<"], "input_start_date", "2024-06-01T00:00:00Z"),
    "lte": (["<="], "created_at", "2024-12-31T23:59:59Z"),
    "contains": ([], "output_utm_campaign", "alpha"),
    "beginswith": (["startswith"], "submission", "Q1"),
    "endswith": ([], "submission", "2024"),
    "exists": ([], "input_segment", None),
    "missing": ([], "input_segment", None),
    "hasany": (["has_any"], "input_tags", "foo,bar"),
    "hasall": (["has_all"], "input_tags", "foo,bar"),
    "hasnone": (["has_none"], "match_status", "unmatched,out_of_sync"),
}
NAMES = [(alias, name) for name, (aliases, *_) in TABLE.items() for alias in [name, *aliases]]


@pytest.mark.parametrize(("written", "name"), NAMES)
def test_every_operator_and_alias_of_the_document(written: str, name: str) -> None:
    _, dimension, value = TABLE[name]
    values = value.split(",") if value else []
    built = search(where(dimension, written, *values))
    assert built == ":".join([dimension, name, *([value] if value else [])])
    assert parse(f"{dimension}:{written}" + (f":{value}" if value else "")) == (where(dimension, name, *values),)


def test_the_document_has_fourteen_operators() -> None:
    assert len(TABLE) == 14
    assert set(TABLE) == set().union(*OPERATORS_OF.values())
    assert set(vendor.ALIASES) == {alias for aliases, *_ in TABLE.values() for alias in aliases}


def test_several_conditions_and_values_and_kinds_of_value() -> None:
    cet = timezone(timedelta(hours=1))
    built = search(
        where("created_at", ">=", datetime(2024, 1, 1, 1, tzinfo=cet)),
        where("created_at", "<", datetime(2024, 2, 1, tzinfo=UTC)),
        where("status", "eq", "draft", "approved", kind="select"),
        where("input_budget", "lte", 1e16),
        where("input_budget", "gt", Decimal("-1.50"), kind="number"),
        where("input_segment", "missing"),
    )
    assert built == (
        "created_at:gte:2024-01-01T00:00:00Z;created_at:lt:2024-02-01T00:00:00Z;status:equal:draft,approved;"
        "input_budget:lte:10000000000000000;input_budget:gt:-1.50;input_segment:missing"
    )


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (("name", "like", "x"), "unknown operator"),
        (("name", "eq", "a;b"), "separator"),
        (("name", "eq", "a,b"), "separator"),
        (("name", "eq", ""), "empty value"),
        (("name", "eq"), "needs a value"),
        (("name", "exists", "x"), "takes no value"),
        (("name", "missing", ""), "takes no value"),
        (("created_at", "gt", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"), "takes one value"),
        (("created_at", "gt", "2024-01-01"), "neither a number nor an instant"),
        (("created_at", "gt", "2024-02-30T00:00:00Z"), "neither a number nor an instant"),
        (("created_at", "gt", "2024-01-01T00:00:00.5Z"), "neither a number nor an instant"),
        (("created_at", "gt", datetime(2024, 1, 1)), "no zone"),
        (("created_at", "gt", datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)), "fraction"),
        (("budget", "gt", float("nan")), "not a finite number"),
        (("beta", "eq", True), "as the vendor spells it"),
        (("a:b", "eq", "x"), "not a dimension"),
        (("", "eq", "x"), "not a dimension"),
    ],
)
def test_an_invalid_condition_is_an_error_before_any_request(condition: Any, reason: str) -> None:
    with pytest.raises(SearchError, match=reason):
        where(*condition)


@pytest.mark.parametrize(
    ("kind", "operator", "value"),
    [
        ("timestamp", "contains", "2024"),
        ("timestamp", "eq", "2024-01-01T00:00:00Z"),
        ("select", "hasall", "x"),
        ("multiselect", "eq", "x"),
        ("text", "gt", "2024-01-01T00:00:00Z"),
        ("text", "hasany", "x"),
        ("number", "eq", "x"),
        ("timestamp", "gt", "5"),
        ("status", "exists", None),
    ],
)
def test_an_operator_or_value_of_the_wrong_kind(kind: Any, operator: str, value: str | None) -> None:
    with pytest.raises(SearchError):
        where("x", operator, *([value] if value else []), kind=kind)
    with pytest.raises(SearchError):
        parse(f"x:{operator}" + (f":{value}" if value else ""), {"x": kind})


DIMENSIONS = {f"{kind}_{n}": vendor.Dimension(kind, "x") for kind in OPERATORS_OF for n in range(2)}
WORDS = st.text(st.characters(exclude_characters=",;", exclude_categories=["Cs"]), min_size=1, max_size=12)
INSTANTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.timezones()).map(
    lambda at: at.replace(microsecond=0, fold=0)
)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.decimals(-1000, 1000))
VALUES: dict[str, st.SearchStrategy[Any]] = {"timestamp": INSTANTS, "number": NUMBERS}


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, str, list[Any]]:
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    kind = DIMENSIONS[dimension].kind
    name = draw(st.sampled_from(sorted(OPERATORS_OF[kind])))
    operator = draw(st.sampled_from([name, *(alias for alias, real in vendor.ALIASES.items() if real == name)]))
    most = 0 if name in ("exists", "missing") else 1 if name in ("gt", "gte", "lt", "lte") else 4
    return dimension, operator, draw(st.lists(VALUES.get(kind, WORDS), min_size=min(1, most), max_size=most))


def meant(value: Any) -> Any:
    """The value that the vendor should understand."""
    if isinstance(value, datetime):
        return instants.from_datetime(value)
    return Decimal(repr(value) if isinstance(value, float) else value) if not isinstance(value, str) else value


@settings(max_examples=examples(100))
@given(st.lists(conditions(), min_size=1, max_size=4))
def test_what_is_built_parses_back_to_what_was_meant(wanted: list[tuple[str, str, list[Any]]]) -> None:
    built = search(*(where(name, op, *values, kind=DIMENSIONS[name].kind) for name, op, values in wanted))
    understood = [(c.dimension, c.operator, c.wanted) for c in vendor.parse(built, DIMENSIONS)]
    assert understood == [
        (DIMENSIONS[name], vendor.ALIASES.get(op, op), [meant(value) for value in values])
        for name, op, values in wanted
    ]
    assert search(*parse(built, {name: dimension.kind for name, dimension in DIMENSIONS.items()})) == built
