"""A type that a person declared wins; what does not fit it is kept as text beside it, reported, never dropped."""

import pytest

from orgdata_dagster_tests.warehouse.rig import Rig

Pair = tuple[str | None, str | None]

FITTING = [
    ("DOUBLE", "1.10", "1.1"),
    ("DOUBLE", "7", "7.0"),
    ("DOUBLE", "1e5", "100000.0"),
    ("DOUBLE", "", None),
    ("BIGINT", "9007199254740993", "9007199254740993"),
    ("int", "007", "7"),
    ("DECIMAL(18,2)", "7", "7.00"),
    ("DECIMAL(18,2)", "1.5", "1.50"),
    ("DATE", "2026-03-01", "2026-03-01"),
    ("BOOLEAN", "TRUE", "true"),
    ("VARCHAR", "007", "007"),
    ("TIMESTAMPTZ", "2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00.000000Z"),
]
MISFITS = [
    ("DOUBLE", "n/a"),
    ("DOUBLE", '""'),
    ("DOUBLE", "9007199254740993"),
    ("DOUBLE", "0.12345678901234567"),
    ("BIGINT", "1.5"),
    ("BIGINT", "9223372036854775808"),
    ("INTEGER", "2147483648"),
    ("DECIMAL(18,2)", "1.555"),
    ("DECIMAL(4,2)", "100"),
    ("DATE", "2026-03-01T10:00:00Z"),
    ("DATE", "infinity"),
    ("TIMESTAMPTZ", "yesterday"),
]
CASES = [*((kind, value) for kind, value, _ in FITTING), *MISFITS]


@pytest.fixture(scope="module")
def landed(shared: Rig) -> list[Pair]:
    """(value, misfit) of each of CASES, which are the columns of one row."""
    names = [f"c{at}" for at in range(len(CASES))]
    shared.land(
        ",".join(names) + "\n" + ",".join(value for _, value in CASES) + "\n",
        declared=dict(zip(names, [kind for kind, _ in CASES], strict=True)),
    )
    row = dict(zip(shared.types(), shared.texts()[0], strict=True))
    return [(row[name], row.get(f"{name}__v_text", "no column")) for name in names]


@pytest.mark.parametrize("at", range(len(FITTING)), ids=lambda at: "{} {}".format(*FITTING[at]))
def test_what_fits_gets_the_type(landed: list[Pair], at: int) -> None:
    assert landed[at] == (FITTING[at][2], "no column")


@pytest.mark.parametrize("at", range(len(MISFITS)), ids=lambda at: "{} {}".format(*MISFITS[at]))
def test_what_does_not_fit_is_kept_beside_it(landed: list[Pair], at: int) -> None:
    assert landed[len(FITTING) + at] == (None, MISFITS[at][1].strip('"'))


def test_the_first_misfit_is_a_reported_change(rig: Rig) -> None:
    declared = {"score": "DOUBLE"}
    assert rig.land("n,score\n1,1.5\n", declared=declared).changes == ()
    changes = rig.land("n,score\n2,n/a\n", partition="2026-03-02", declared=declared).changes
    assert [str(change) for change in changes] == ["score__v_text: variant (DOUBLE -> VARCHAR)"]
    assert rig.land("n,score\n3,n/a\n", partition="2026-03-03", declared=declared).changes == ()
    assert rig.texts("n") == [("1", "1.5", None), ("2", None, "n/a"), ("3", None, "n/a")]


@pytest.mark.parametrize(
    ("before", "declared", "after"),
    [
        (["abc", "1.5"], "DOUBLE", [(None, "abc"), ("1.5", None)]),
        (["10.55", "1.00"], "BIGINT", [(None, "10.55"), ("1", None)]),
        (["1", "2"], "VARCHAR", [("1", None), ("2", None)]),
        (["2026-03-01T10:00:00Z"], "DATE", [(None, "2026-03-01T10:00:00.000000Z")]),
    ],
)
def test_a_type_declared_later_applies_to_what_is_there(
    rig: Rig, before: list[str], declared: str, after: list[Pair]
) -> None:
    """It failed at COMMIT once: DuckDB does not take an UPDATE and an ALTER of one table in one transaction."""
    rig.land("n,score\n" + "".join(f"{number},{value}\n" for number, value in enumerate(before)))
    done = rig.land("n,score\n99,\n", partition="2026-03-02", declared={"score": declared})
    assert ("score", "retyped") in {(change.column, change.change) for change in done.changes}
    rows = [(*row, None)[1:3] for row in rig.texts("CAST(n AS BIGINT)")]
    assert rows == [*after, (None, None)]


def test_misfits_of_a_first_and_of_a_second_declared_type_are_kept(rig: Rig) -> None:
    rig.land("n,score\n1,n/a\n2,1.5\n3,2\n", declared={"score": "DOUBLE"})
    rig.land("n,score\n4,?\n", partition="2026-03-02", declared={"score": "BIGINT"})
    assert rig.texts("n") == [("1", None, "n/a"), ("2", None, "1.5"), ("3", "2", None), ("4", None, "?")]


def test_the_case_of_a_declared_name_does_not_matter(rig: Rig) -> None:
    rig.land("n,Score\n1,7\n")
    rig.land("n,SCORE\n2,x\n", partition="2026-03-02", declared={"score": "DOUBLE"})
    assert rig.texts("n") == [("1", "7.0", None), ("2", None, "x")]


def test_a_vendors_own_column_of_the_variants_name_stays_apart(rig: Rig) -> None:
    rig.land("score,score__v_text\nx,y\n", declared={"score": "DOUBLE"})
    assert rig.sql("SELECT score, score__v_text, score__v_text_ FROM acme.items") == [(None, "x", "y")]
