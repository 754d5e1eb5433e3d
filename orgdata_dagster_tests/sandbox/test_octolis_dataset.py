"""The effects of writes on records, against vendor_apis/octolis.md; the quoted sentences are the document's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orgdata_dagster.sandbox.octolis import DATASETS, Column, Dataset, Problem, demo

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Clock:
    """A clock that advances by a second at each reading."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


COLUMNS = [
    Column("email"), Column("phone"), Column("name"), Column("sms", "boolean", default=False), Column("n", "integer"),
    Column("ratio", "float"), Column("born", "timestamp"), Column("tags", "list"), Column("origin", protected=True),
]  # fmt: skip


@pytest.fixture
def people() -> Dataset:
    return Dataset("d", COLUMNS, [("email",), ("phone",)], now=Clock())


def put(dataset: Dataset, email: str | None, phone: str | None, **more: Any) -> dict[str, Any]:
    return dataset.upsert({"email": email, "phone": phone, **more}).record


def names(dataset: Dataset) -> list[tuple[Any, Any, Any]]:
    return [(r["email"], r["phone"], r["name"]) for r in dataset.truth()]


def test_omitted_means_default_then_unchanged_and_null_erases(people: Dataset) -> None:
    first = put(people, "a", "1", name="A", n=7)
    assert (first["name"], first["sms"], first["n"], first["ratio"]) == ("A", False, 7, None)
    second = put(people, "a", "1", n=None, sms=None)
    assert (second["name"], second["sms"], second["n"]) == ("A", None, None)
    assert second["__masterid__"] == first["__masterid__"]
    assert (len(people), second["__created_at__"]) == (1, first["__created_at__"])
    assert second["__modified_at__"] > first["__modified_at__"]
    assert first["__all_masterids__"] == [first["__masterid__"]]
    assert "__all_masterids__" not in people.truth()[0]


def test_an_upsert_that_matches_several_records_merges_them(people: Dataset) -> None:
    """'You will find the masterids of those (now deleted) records in the `__all_masterids__` variable.'"""
    old, newer = put(people, "a", "1", name="A"), put(people, "b", "2", name="B", n=5)
    merged = put(people, "b", "1", ratio=0.5)
    assert merged["__masterid__"] == old["__masterid__"]
    assert merged["__all_masterids__"] == [newer["__masterid__"]]
    assert (merged["name"], merged["n"], merged["ratio"]) == ("A", 5, 0.5)
    assert names(people) == [("b", "1", "A")]
    assert people.truth()[0]["__all_masterids__"] == [newer["__masterid__"]]
    with pytest.raises(Problem, match="not found"):
        people.get(newer["__masterid__"])
    # The keys that nobody has any more are free, and what was merged before is remembered.
    other = put(people, "a", "2")
    again = put(people, "a", "1")
    assert again["__all_masterids__"] == [newer["__masterid__"], other["__masterid__"]]


def test_null_is_not_a_key(people: Dataset) -> None:
    put(people, None, "1")
    put(people, None, "2")
    put(people, "a", None)
    assert len(people) == 3
    with pytest.raises(Problem) as raised:
        put(people, None, None)
    assert raised.value.body["missing"] == ["email", "phone"]


def test_keys_of_several_columns() -> None:
    orders = Dataset("o", [Column("shop"), Column("number")], [("shop", "number")])
    for shop, number in (("x", "1"), ("x", "2"), ("y", "1"), ("x", "1")):
        orders.upsert({"shop": shop, "number": number})
    assert len(orders) == 3


def test_missing_columns_are_reported_in_the_documents_words(people: Dataset) -> None:
    with pytest.raises(Problem) as raised:
        people.upsert({"email": "a", "colour": "red"})
    assert raised.value.body == {
        "title": "Missing mandatory columns from the upsertion data",
        "detail": "Missing the following mandatory columns: phone",
        "status": 400,
        "missing": ["phone"],
    }


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("sms", 25, "sms (#/properties/sms/type) - must be boolean"),
        ("sms", "true", "sms (#/properties/sms/type) - must be boolean"),
        ("name", 5, "name (#/properties/name/type) - must be string"),
        ("n", "5", "n (#/properties/n/type) - must be integer"),
        ("n", 1.5, "n (#/properties/n/type) - must be integer"),
        ("n", True, "n (#/properties/n/type) - must be integer"),
        ("n", 2147483648, "n (#/properties/n/maximum) - must be <= 2147483647"),
        ("n", -2147483649, "n (#/properties/n/minimum) - must be >= -2147483648"),
        ("ratio", 3e9, "ratio (#/properties/ratio/maximum) - must be <= 2147483647"),
        ("ratio", 1234.567, "ratio (#/properties/ratio/maxDigits) - must have a maximum of 6 digits"),
        ("ratio", "1.5", "ratio (#/properties/ratio/type) - must be number"),
        ("born", "1978-06-23", 'born (#/properties/born/format) - must match format "date-time"'),
        ("born", "1978-06-23T00:00:00", 'born (#/properties/born/format) - must match format "date-time"'),
        ("born", "1978-02-30 00:00:00", 'born (#/properties/born/format) - must match format "date-time"'),
        ("tags", "a", "tags (#/properties/tags/type) - must be array"),
        ("colour", "red", "colour (#/additionalProperties) - must NOT have additional properties"),
    ],
)
def test_wrong_values(people: Dataset, column: str, value: Any, error: str) -> None:
    payload = {"email": "a", "phone": "1", column: value}
    with pytest.raises(Problem) as raised:
        people.upsert(payload)
    assert raised.value.body == {
        "title": "Validation failed for the provided data",
        "detail": "Validation for upsertion request failed",
        "status": 400,
        "values": payload,
        "errors": [error],
    }
    assert len(people) == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", 2147483647), ("n", -2147483648), ("n", 3.0), ("ratio", 123.456), ("ratio", -0.000001), ("ratio", 5),
        ("ratio", 1e6), ("born", "1978-06-23 00:00:00"), ("name", ""), ("sms", None), ("tags", []),
    ],
)  # fmt: skip
def test_good_values_are_kept_as_they_are(people: Dataset, column: str, value: Any) -> None:
    assert put(people, "a", "1", **{column: value})[column] == value


def test_all_errors_of_a_payload_are_reported(people: Dataset) -> None:
    with pytest.raises(Problem) as raised:
        put(people, "a", "1", n="x", sms=1)
    assert len(raised.value.body["errors"]) == 2


def test_protected_columns_are_ignored_with_a_warning(people: Dataset) -> None:
    written = people.upsert({"email": "a", "phone": "1", "origin": "mine", "__created_at__": "x"})
    assert written.protected == ["origin", "__created_at__"]
    assert written.record["origin"] is None


def test_update_by_masterid(people: Dataset) -> None:
    """'If you update a key column, please pay attention that it does not violate their uniqueness constraint.'"""
    a, b = put(people, "a", "1", name="A"), put(people, "b", "2")
    assert people.update(a["__masterid__"], {"n": 1, "__masterid__": a["__masterid__"]}).protected == []
    with pytest.raises(Problem) as raised:
        people.update(b["__masterid__"], {"email": "a", "n": 9})
    assert (raised.value.status, raised.value.body["detail"]) == (400, "Another record has the same email")
    with pytest.raises(Problem, match="Validation for update request failed"):
        people.update(b["__masterid__"], {"colour": "red"})
    with pytest.raises(Problem, match="Missing the following mandatory columns: email, phone"):
        people.update(b["__masterid__"], {"email": None, "phone": None})
    with pytest.raises(Problem, match="not found"):
        people.update("nobody", {"n": 1})
    people.update(a["__masterid__"], {"email": "c"})
    people.update(b["__masterid__"], {"email": "a"})
    assert names(people) == [("c", "1", "A"), ("a", "2", None)]
    assert people.truth()[1]["n"] is None


def test_sql_datasets_change_silently(people: Dataset) -> None:
    a, b = put(people, "a", "1"), put(people, "b", "2")
    people.update(a["__masterid__"], {"name": "new"}, touch=False)
    changed = people.truth()[0]
    assert (changed["name"], changed["__modified_at__"]) == ("new", a["__modified_at__"])
    assert changed["__updated_at__"] > a["__updated_at__"]
    people.delete(b["__masterid__"])
    assert names(people) == [("a", "1", "new")]
    assert people.get(a["__masterid__"]).public() == changed


def test_merging_from_python(people: Dataset) -> None:
    ids = [put(people, f"{n}", f"+{n}", name=None if n < 2 else f"N{n}")["__masterid__"] for n in range(4)]
    assert people.merge(ids[3], ids[1], ids[2], at=START) == ids[1]
    survivor = people.get(ids[1]).public()
    assert (survivor["name"], survivor["__all_masterids__"]) == ("N2", [ids[2], ids[3]])
    assert survivor["__modified_at__"] == "2026-03-10T12:00:00.000Z"
    assert len(people) == 2


def test_order_of_reading_and_ties(people: Dataset) -> None:
    for n, second in enumerate((5, 1, 3, 3, 3, 3)):
        people.upsert({"email": str(n), "phone": None}, START + timedelta(seconds=second))

    def order() -> str:
        return "".join(record.values["email"] for record in people.newest_first())

    assert {order() for _ in range(20)} == {"054321"}
    people.stable_ties = False
    orders = {order() for _ in range(50)}
    assert len(orders) > 5
    assert {(o[0], o[-1]) for o in orders} == {("0", "1")}


def test_demo_has_ties_merges_an_empty_and_a_sql_dataset() -> None:
    vendor = demo(now=lambda: START, records=1200)
    sizes = {name: len(vendor.datasets[dataset_id]) for name, dataset_id in DATASETS.items()}
    assert sizes["nothing"] == 0
    assert all(size > 40 for name, size in sizes.items() if name != "nothing")
    assert vendor.datasets[DATASETS["vip"]].read_only
    for dataset_id in DATASETS.values():
        truth = vendor.truth(dataset_id) or []
        assert truth == demo(now=lambda: START, records=1200).truth(dataset_id)
        assert all(str(r["__modified_at__"]) <= "2026-03-10T12:00:00.000Z" for r in truth)
        if truth:
            assert len({r["__modified_at__"] for r in truth}) < len(truth) * 0.9
    customers = vendor.truth(DATASETS["customers"]) or []
    merged = [m for r in customers for m in r.get("__all_masterids__") or ()]
    assert len(merged) > 2
    assert not set(merged) & {r["__masterid__"] for r in customers}
