"""The search language against the operator table of vendor_apis/accutics.md."""

from typing import Any

import pytest

from orgdata_dagster.sandbox.accutics.problems import Problem
from orgdata_dagster.sandbox.accutics.search import ALIASES, OPERATORS, Dimension, parse

DIMENSIONS = {
    "id": Dimension("id", "id"),
    "number": Dimension("number", "number"),
    "submission": Dimension("text", "name"),
    "author": Dimension("text", "author.name", ("author.email",)),
    "created_at": Dimension("timestamp", "created_at"),
    "input_medium": Dimension("select", "inputs.medium"),
    "input_tags": Dimension("multiselect", "inputs.tags"),
    "option": Dimension("text", "options.label"),
    "match_status": Dimension("status", "match_status"),
}
ROWS: list[dict[str, Any]] = [
    {
        "id": "a", "number": 2**53 + 1, "name": "Q1 2024", "author": {"name": "Zoë", "email": "z@x.org"},
        "created_at": "2024-01-01T10:00:00.500Z", "inputs": {"medium": "email", "tags": ["foo", "bar"]},
        "options": [{"label": "north"}, {"label": "south"}], "match_status": "synced",
    },
    {
        "id": "b", "number": 2**53, "name": "100% 2024", "author": None,
        "created_at": "2024-01-01T10:00:00.000Z", "inputs": {"medium": "social", "tags": ["foo"]},
        "options": [], "match_status": "unmatched",
    },
    {
        "id": "c", "number": 1.5, "name": "Q1_2025", "author": {"name": "", "email": "c@y.org"},
        "created_at": "2024-01-01T10:00:01.000Z", "inputs": {"medium": None, "tags": []},
        "options": [{"label": None}], "match_status": "out_of_sync",
    },
    {"id": "d", "number": None, "name": "", "created_at": None, "inputs": {}, "match_status": "unmatched"},
]  # fmt: skip


def found(text: str) -> str:
    conditions = parse(text, DIMENSIONS)
    return "".join(row["id"] for row in ROWS if all(condition.holds(row) for condition in conditions))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcd"),
        ("id:equal:a", "a"),
        ("id:eq:a,c", "ac"),
        ("id:notequal:a,c", "bd"),
        ("input_medium:neq:email", "bcd"),  # 'On inputs/outputs, often implemented as "not in subquery"'
        ("number:eq:9007199254740993", "a"),  # exactly, beyond what a float can tell
        ("number:gt:1.5", "ab"),
        ("number:lte:9007199254740992", "bc"),
        ("created_at:gt:2024-01-01T10:00:00Z", "ac"),  # fractions of rows count
        ("created_at:gte:2024-01-01T10:00:00Z;created_at:lt:2024-01-01T10:00:01Z", "ab"),
        ("created_at:lt:2024-01-01T10:00:00.900Z", ""),  # those of the search are stripped
        ("created_at:lte:2024-01-01T10:00:00.900Z", "b"),
        ("submission:contains:%", "b"),  # '`%` and `_` in the value are escaped'
        ("submission:contains:1_2,100", "bc"),
        ("submission:beginswith:Q1", "ac"),
        ("submission:endswith:2024,2025", "abc"),
        ("author:contains:z@", "a"),
        ("author:eq:Zoë,c@y.org", "ac"),
        ("option:eq:south", "a"),
        ("option:exists", "a"),
        ("input_medium:exists", "ab"),
        ("input_medium:missing", "cd"),
        ("input_tags:missing", "cd"),
        ("submission:missing", "d"),  # 'Field is null / empty / absent'
        ("input_tags:hasany:bar,foo", "ab"),
        ("input_tags:hasall:foo,bar", "a"),
        ("input_tags:hasnone:bar", "bcd"),
        ("input_medium:hasany:social,email", "ab"),
        ("match_status:hasnone:unmatched,out_of_sync", "a"),
        ("match_status:hasany:synced", "a"),
        ("id:eq:a,b;input_tags:hasall:bar", "a"),
        ("submission:eq:Q1:2024", ""),  # only the first two colons separate
    ],
)
def test_what_a_search_finds(text: str, expected: str) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("alias", "values"),
    [
        *((alias, "id:{}:a,b") for alias in ("eq", "equals", "=", "neq", "notequals", "!=")),
        *((alias, "number:{}:2") for alias in (">", ">=", "<", "<=")),
        ("startswith", "submission:{}:Q"),
        *((alias, "input_tags:{}:foo,bar") for alias in ("has_any", "has_all", "has_none")),
    ],
)
def test_aliases_mean_their_operators(alias: str, values: str) -> None:
    assert found(values.format(alias)) == found(values.format(ALIASES[alias]))


def test_there_are_fourteen_operators() -> None:
    assert len(set().union(*OPERATORS.values())) == 14


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody:eq:1", "unknown dimension 'nobody'"),
        ("id", "no operator ''"),
        ("id:like:1", "no operator 'like'"),
        ("created_at:eq:2024-01-01T00:00:00Z", "no operator 'equal'"),
        ("input_medium:hasall:a", "no operator 'hasall'"),
        ("submission:hasany:a", "no operator 'hasany'"),
        ("id:eq", "needs a value"),
        ("id:eq:", "needs a value"),
        ("id:eq:a,,b", "needs a value"),
        ("id:eq:a;", "unknown dimension ''"),
        ("id:exists:a", "takes no value"),
        ("id:missing:", "takes no value"),
        ("number:gt:1,2", "takes one value"),
        ("number:gt:x", "not a number"),
        ("number:gt:NaN", "not a number"),
        ("created_at:gt:2024-01-01", "not an ISO 8601 Zulu"),
        ("created_at:gt:2024-01-01T00:00:00+00:00", "not an ISO 8601 Zulu"),
        ("created_at:gt:2024-13-01T00:00:00Z", "month must be"),
    ],
)
def test_invalid_searches(text: str, message: str) -> None:
    with pytest.raises(Problem, match=message) as raised:
        parse(text, DIMENSIONS)
    assert (raised.value.status, raised.value.error["code"]) == (400, "invalid_search")
