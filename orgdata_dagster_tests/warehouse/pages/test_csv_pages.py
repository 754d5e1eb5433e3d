"""Every record of a body is counted and read, with any line ends. A truncated body is never accepted as data."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.warehouse.errors import UnreadablePage
from orgdata_dagster.warehouse.pages.csv_pages import CsvPage, prepare, relation
from orgdata_dagster_tests.warehouse.rig import Rig

Records = list[tuple[str | None, ...]]


def page_of(folder: Path, body: str | bytes, **options: int) -> CsvPage:
    path = folder / "page.csv"
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return prepare(path, **options)


def read(rig: Rig, page: CsvPage) -> Records:
    sql = f"SELECT * EXCLUDE (_orgdata_file) FROM {relation([page.path], page.columns)}"
    return rig.connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ("a,b\n1,2\n3,4\n", [("1", "2"), ("3", "4")]),
        ("a,b\n1,2\n3,4", [("1", "2"), ("3", "4")]),
        ("a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        ("a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        ("a\r1\r\r", [("1",), (None,)]),
        ("a,b\n1,2\r\n3,4\r5,6\n", [("1", "2"), ("3", "4"), ("5", "6")]),
        ("\ufeffa,b\n1,2\n", [("1", "2")]),
        ('\ufeff"a",b\r\n1,2\r\n', [("1", "2")]),
        ('a,b\n1,"x\ny"\n', [("1", "x\ny")]),
        ('a,b\r\n1,"x\r\ny\rz"\r\n', [("1", "x\r\ny\rz")]),
        ('a,b\n"say ""hi""\n\n",2\n', [('say "hi"\n\n', "2")]),
        ('a,b\n"",\n', [("", None)]),
        ("a,b\n\n1,2\n\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        ("a,b\n", []),
        ("a,b", []),
        ("a\n1\n\n2\n", [("1",), (None,), ("2",)]),
        ('a\n""\n', [("",)]),
        ('a,b\n1,5" pipe\n2,6" pipe\n3,x\n', [("1", '5" pipe'), ("2", '6" pipe'), ("3", "x")]),
        ('a,b\r\n1,5" pipe\r\n2,"6"" pipe"\r\n3,x', [("1", '5" pipe'), ("2", '6" pipe'), ("3", "x")]),
        ('a,b\n5",6\n7,"x\ny"\n8,9"', [('5"', "6"), ("7", "x\ny"), ("8", '9"')]),
        ('a,b\n1,x""y\n2,""\n', [("1", 'x""y'), ("2", "")]),
        ('a,b\n1, "x"\n2,"y" \n', [("1", ' "x"'), ("2", "y ")]),
        ('a,b\n1,"5" pipe"\n2,x\n', [("1", '5 pipe"'), ("2", "x")]),
        ("a,b\n1,2,\n3,4,\n", [("1", "2"), ("3", "4")]),
    ],
)
def test_every_record_is_counted_and_read(rig: Rig, body: str, records: Records) -> None:
    page = page_of(rig.folder, body)
    assert page.columns == ("a", "b")[: len(page.columns)]
    assert page.records == len(records)
    assert read(rig, page) == records


@pytest.mark.parametrize("body", ["", "\ufeff", "\n\n", "\r\n"])
def test_an_empty_body_is_an_empty_page(tmp_path: Path, body: str) -> None:
    page = page_of(tmp_path, body)
    assert (page.columns, page.records) == ((), 0)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'a,b\n1,"cut', "cut short"),
        (b'a,"b', "cut short"),
        (b"\na,b\n1,2\n", "blank line"),
        (b"\xff\xfe,b\n1,2\n", "UTF-8"),
        (b"<html>" + b"x" * 200_000, "header"),
    ],
)
def test_invalid_csv_is_refused(tmp_path: Path, body: bytes, complaint: str) -> None:
    with pytest.raises(UnreadablePage, match=complaint):
        page_of(tmp_path, body)


def test_equal_headers_give_equal_columns(tmp_path: Path) -> None:
    page = page_of(tmp_path, 'Id,"two\nlines",id,\n')
    assert page.columns == ("Id", "two\nlines", "id_2", "column_4")


FIELD = st.text(st.sampled_from('ab",\n\r\t é'), max_size=6)
TABLE = st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=6))


ENDS = st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=8, max_size=8)


@settings(max_examples=150, deadline=None)
@given(rows=TABLE, ends=ENDS, chunk=st.integers(1, 7))
def test_chunk_borders_change_nothing(rows: list[list[str]], ends: list[str], chunk: int) -> None:
    """Compared with Python's csv module, with chunks so small that there is a border at every position."""
    header = [f"c{number}" for number in range(len(rows[0]) if rows else 2)]
    body = ""
    for row, end in zip([header, *rows], ends, strict=False):
        line = io.StringIO()
        csv.writer(line, lineterminator=end, quoting=csv.QUOTE_ALL).writerow(row)
        body += line.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        page = page_of(Path(folder), body, chunk_size=chunk)
        clean = page.path.read_bytes().decode()
    assert page.columns == tuple(header)
    assert page.records == len(rows)
    assert list(csv.reader(io.StringIO(clean, newline="")))[1:] == rows
    assert clean.count("\r") == sum(value.count("\r") for row in rows for value in row)


RAW = st.one_of(
    st.text(st.sampled_from('a" '), max_size=5), FIELD.map(lambda text: '"' + text.replace('"', '""') + '"')
)
RECORDS = st.lists(st.tuples(st.tuples(RAW, RAW).map(",".join), st.sampled_from(["\n", "\r\n", "\r", ""])), max_size=5)


@settings(max_examples=300, deadline=None)
@given(records=RECORDS, chunk=st.integers(1, 9))
def test_any_text_is_read_like_pythons_csv_reads_it(shared: Rig, records: list[tuple[str, str]], chunk: int) -> None:
    """`5" pipe` in two rows was once read as one endless field, and in three rows as a truncated body."""
    body = "h,i\n" + "".join(record + end for record, end in records)
    rows = [row for row in list(csv.reader(io.StringIO(body, newline="")))[1:] if row]
    if any(len(row) != 2 for row in rows):
        return  # no table
    with tempfile.TemporaryDirectory() as folder:
        try:
            page = page_of(Path(folder), body, chunk_size=chunk)
        except UnreadablePage:
            ended = list(csv.reader(io.StringIO(f"{body}\ncanary,1", newline="")))
            assert ended[-1] != ["canary", "1"]  # Python too is inside a quoted field at the end
            return
        assert page.records == len(rows)
        assert [[value or "" for value in row] for row in read(shared, page)] == rows
