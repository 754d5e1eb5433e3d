from datetime import UTC, datetime

import pytest

from orgdata_dagster.sandbox import instants
from orgdata_dagster.sandbox.institution_analytics import DataSet, coarse, local
from orgdata_dagster_tests.sandbox.reading import parse

COLUMNS = ["id", "note", "revision", "updated_date"]
ALWAYS = (0, 2**62)


def row(key: int, second: str = "00", **more: str | None) -> dict[str, str | None]:
    return {"id": str(key), "revision": "1", "updated_date": f"2026-03-01T00:00:{second}Z", **more}


def ids(data_set: DataSet, after: int = 0, before: int = 2**62, limit: int = 1000) -> list[str | None]:
    page = data_set.page(after, before, limit)
    found = [r["id"] for r in parse((data_set.header + page.body).decode())]
    assert page.rows == len(found)
    return found


def test_newest_first_and_cut_at_the_limit() -> None:
    data_set = DataSet("d", COLUMNS, [row(1, "01"), row(3, "03"), row(2, "02")])
    assert ids(data_set) == ["3", "2", "1"]
    assert ids(data_set, limit=2) == ["3", "2"]


def test_after_is_exclusive_and_before_inclusive_to_the_microsecond() -> None:
    data_set = DataSet("d", COLUMNS, [row(1, "01"), row(2, "01.000001"), row(3, "02"), row(4, "02.000001")])
    first, last = (instants.from_text(f"2026-03-01T00:00:{s}Z") for s in ("01", "02"))
    assert ids(data_set, first, last) == ["3", "2"]
    assert ids(data_set, first - 1, last + 1) == ["4", "3", "2", "1"]
    assert ids(data_set, last, first) == []


def test_ties_come_in_varying_order_and_any_of_them_may_be_cut() -> None:
    data_set = DataSet("d", COLUMNS, [row(9, "02"), *(row(n, "01") for n in range(1, 7)), row(8, "00")])
    pages = [ids(data_set, limit=4) for _ in range(60)]
    assert {page[0] for page in pages} == {"9"}
    assert {key for page in pages for key in page[1:]} == set("123456")
    assert len({tuple(page) for page in pages}) > 10
    assert all(len(set(page)) == 4 for page in pages)


def test_two_spellings_of_one_instant_tie() -> None:
    data_set = DataSet("d", COLUMNS, [row(1, "01"), row(2, "01.000")])
    assert {tuple(ids(data_set)) for _ in range(50)} == {("1", "2"), ("2", "1")}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("note", ["", None, "a,b", 'say "no"', '"', "a\r\nb", "a\nb", "a\rb", " x ", "00123", "é👩🏽"])
def test_every_value_survives_the_csv(note: str | None, line_end: str) -> None:
    data_set = DataSet("d", COLUMNS, [row(1, note=note)], line_end=line_end)
    text = (data_set.header + data_set.page(*ALWAYS, 9).body).decode()
    assert parse(text) == data_set.truth() == [row(1, note=note)]
    assert text.endswith(line_end)


def test_touch_moves_a_row_and_changes_it() -> None:
    data_set = DataSet("d", COLUMNS, [row(n, f"0{n}") for n in range(1, 5)])
    assert data_set.touch("2", datetime(2026, 3, 1, 0, 1, 0, 5, UTC)) == 1
    assert ids(data_set) == ["2", "4", "3", "1"]
    assert data_set.truth()[-1] == {
        "id": "2", "note": None, "revision": "2", "updated_date": "2026-03-01T00:01:00.000005Z",
    }  # fmt: skip
    assert data_set.touch(lambda r: r["id"] in ("1", "3"), "2026-03-01T00:02:00Z", {"note": "x"}) == 2
    assert [(r["id"], r["note"], r["revision"]) for r in data_set.truth()[-2:]] == [("1", "x", "1"), ("3", "x", "1")]
    assert data_set.touch("none such", "2026-03-01T00:02:00Z") == 0


def test_a_wrong_change_changes_nothing() -> None:
    data_set = DataSet("d", COLUMNS, [row(1)])
    before = data_set.truth()
    with pytest.raises(ValueError):
        data_set.touch("1", "yesterday")
    with pytest.raises(ValueError, match="no column other"):
        data_set.touch("1", "2026-03-01T00:00:00Z", {"other": "x"})
    with pytest.raises(ValueError, match="already"):
        data_set.insert(row(1))
    with pytest.raises(ValueError):
        data_set.insert({"id": "2"})
    assert data_set.truth() == before


def test_delete_and_columns_that_come_and_go() -> None:
    data_set = DataSet("d", COLUMNS, [row(1, note="n"), row(2)])
    assert data_set.delete("1") == 1
    assert ids(data_set) == ["2"]
    data_set.add_column("new [one]")
    data_set.drop_column("note")
    data_set.insert(row(3, "01") | {"new [one]": ""})
    assert data_set.header == b"id,revision,updated_date,new [one]\n"
    assert parse((data_set.header + data_set.page(*ALWAYS, 9).body).decode()) == data_set.truth()[::-1]
    assert [r["new [one]"] for r in data_set.truth()] == [None, ""]


def printed(data_set: DataSet) -> list[str | None]:
    return [row["updated_date"] for row in parse((data_set.header + data_set.page(*ALWAYS, 9).body).decode())]


def test_a_vendor_may_store_more_than_it_prints() -> None:
    fine = {"id": "1", "updated_date": "2026-03-01T08:01:25.481484Z"}
    spellings = {
        "2026-03-01T08:01:25.481Z": coarse(3),
        "2026-03-01T08:01:25Z": coarse(0),
        "2026-03-01T08:01:00Z": coarse(-1),
        "2026-03-01 10:01:25": local(2, 0),
        "2026-03-01 03:01:25.481484": local(-5),
    }
    for text, spelling in spellings.items():
        data_set = DataSet("d", COLUMNS, [fine], printed=spelling)
        assert printed(data_set) == [text]
        assert data_set.truth()[0]["updated_date"] == text
        assert ids(data_set, before=instants.from_text("2026-03-01T08:01:25.481000Z")) == []


def test_the_upper_bound_may_be_exclusive_after_all() -> None:
    data_set = DataSet("d", COLUMNS, [row(1, "01"), row(2, "02")], exclusive_before=True)
    assert ids(data_set, before=instants.from_text("2026-03-01T00:00:02Z")) == ["1"]
