"""Vendors that depart from their document, and answers that contradict others: every row lands, or the coverage says
what is missing; what is stored stays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from orgdata_dagster.orchestration.tags import ACCEPT_SHRINK_TAG
from orgdata_dagster.sandbox.faults import Empty, ErrorBody
from orgdata_dagster.sandbox.institution_analytics import DataSet, InstitutionAnalytics, coarse, local
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today


def yesterday() -> str:
    return today(back=1)


USERS = "institution_analytics/users"
ALL = "SELECT id FROM institution_analytics.users ORDER BY ALL"
INCOMPLETE = "SELECT DISTINCT reason FROM _orgdata.coverage WHERE NOT complete"


def rows(number: int = 20, *, seconds: float = 7.481484) -> list[dict[str, str]]:
    start = datetime.fromisoformat(yesterday()).replace(tzinfo=UTC)
    at = [start + timedelta(seconds=seconds * (n + 1)) for n in range(number)]
    return [{"id": f"k{n:03}", "updated_date": when.isoformat().replace("+00:00", "Z")} for n, when in enumerate(at)]


def holds(sandbox: Sandbox, made: list[dict[str, str]], **behaviour: object) -> InstitutionAnalytics:
    vendor = sandbox.institution_analytics
    vendor.data_sets["users"] = DataSet("users", ["id", "email", "updated_date"], made, **behaviour)  # type: ignore[arg-type]
    vendor.page_rows = 8
    return vendor


def keys(made: list[dict[str, str]]) -> list[tuple[str]]:
    return [(row["id"],) for row in made]


@pytest.mark.parametrize(
    ("printed", "seconds"),
    [(coarse(3), 0.000581), (coarse(3), 7.481484), (coarse(0), 0.481484), (coarse(-1), 17.481484), (None, 1)],
    ids=["ms, close together", "ms", "whole seconds", "whole minutes", "as stored"],
)
@pytest.mark.parametrize("exclusive", [False, True], ids=["inclusive", "exclusive"])
def test_a_vendor_stores_finer_instants_than_it_prints(
    home: Home, sandbox: Sandbox, printed: Callable[[str], str] | None, seconds: float, exclusive: bool
) -> None:
    made = rows(seconds=seconds)
    holds(sandbox, made, printed=printed, exclusive_before=exclusive)
    assert home.materialize(USERS, yesterday()).success
    assert home.sql(ALL) == keys(made)
    assert home.sql(INCOMPLETE) == []


def test_more_rows_in_one_printed_unit_than_a_page_holds_are_a_gap(home: Home, sandbox: Sandbox) -> None:
    holds(sandbox, rows(seconds=0.04), printed=coarse(0))
    assert home.materialize(USERS, yesterday()).success
    [(reason,)] = home.sql(INCOMPLETE)
    assert "one instant" in reason


@pytest.mark.parametrize("hours", [2, -5, 5.5])
def test_local_times_without_a_zone_are_detected(home: Home, sandbox: Sandbox, hours: float) -> None:
    holds(sandbox, rows(seconds=3600), printed=local(hours))
    done = home.materialize(USERS, yesterday())
    complete = home.sql("SELECT count(*) FROM _orgdata.coverage WHERE complete") if done.success else [(0,)]
    assert complete == [(0,)] or home.sql(INCOMPLETE)


@pytest.mark.parametrize(
    ("fault", "requests"), [(Empty("bytes"), (0, 2)), (Empty("rows"), (1, 3))], ids=["bytes", "rows"]
)
def test_empty_answers_lose_no_row(home: Home, sandbox: Sandbox, fault: Empty, requests: tuple[int, ...]) -> None:
    """One is requested again. If they stay empty, what is stored is left as it is, and the coverage says so.

    Both forms of such an answer are a page without rows for the walk; test_walk_properties.py has them anywhere.
    """
    made = rows()
    vendor = holds(sandbox, made)
    assert home.materialize(USERS, yesterday()).success
    for after in requests:
        vendor.faults.add(fault, times=50, after=after)
        assert home.materialize(USERS, yesterday()).success
        assert home.sql(ALL) == keys(made), after
        [(reason,)] = home.sql(INCOMPLETE)
        assert "again" in reason, after
        vendor.faults.clear()
        vendor.faults.add(fault, after=after)
        assert home.materialize(USERS, yesterday()).success
        assert home.sql(ALL) == keys(made), after
        assert home.sql(INCOMPLETE) == [], after
        vendor.faults.clear()


@pytest.mark.parametrize("after", [1, 2])
def test_a_first_pull_that_is_cut_off_by_empty_answers_says_so(home: Home, sandbox: Sandbox, after: int) -> None:
    made = rows()
    vendor = holds(sandbox, made)
    vendor.faults.add(Empty(), times=50, after=after)
    assert home.materialize(USERS, yesterday()).success
    assert set(home.sql(ALL)) < set(keys(made))
    assert len(home.sql(INCOMPLETE)) == 1


def test_a_day_that_is_really_empty_can_be_accepted(home: Home, sandbox: Sandbox) -> None:
    vendor = holds(sandbox, rows())
    assert home.materialize(USERS, yesterday()).success
    vendor.data_sets["users"].delete(lambda _: True)
    assert home.orgdata("pull", USERS, "--from", yesterday(), "--to", yesterday()).status == 0
    [(reason,)] = home.sql(INCOMPLETE)
    assert "the stored rows are kept, and this is incomplete until the vendor sends rows" in reason
    accept = f"orgdata pull {USERS} --from {yesterday()} --to {yesterday()} --accept-shrink"
    assert accept in home.shows("status").out
    assert accept in home.shows("doctor", "--offline").everything
    assert home.orgdata("pull", USERS, "--from", yesterday(), "--to", yesterday(), "--accept-shrink").status == 0
    assert home.sql(ALL) == []
    assert home.sql(INCOMPLETE) == []
    assert ACCEPT_SHRINK_TAG == "orgdata/accept_shrink"


def test_a_row_that_moved_to_another_day_is_not_missed(home: Home, sandbox: Sandbox) -> None:
    """Its day is empty now, and the table has the newer version, so nothing contradicts the answer."""
    vendor = holds(sandbox, rows(1))
    assert home.materialize(USERS, yesterday()).success
    vendor.data_sets["users"].touch("k000", datetime.now(UTC) - timedelta(seconds=30))
    assert home.materialize(USERS).success
    assert home.materialize(USERS, yesterday()).success
    assert home.sql("SELECT count(*) FROM institution_analytics.users") == [(1,)]
    assert home.sql(INCOMPLETE) == []


def test_an_empty_answer_without_header_is_accepted_once_the_vendor_has_sent_a_header(
    home: Home, sandbox: Sandbox
) -> None:
    vendor = holds(sandbox, rows())
    vendor.empty_header = False
    empty = today(back=3)
    assert home.materialize(USERS, empty).success
    assert home.sql(INCOMPLETE) == []
    vendor.data_sets["users"].delete(lambda _: True)
    assert home.materialize(USERS, today(back=4)).success
    [(reason,)] = home.sql(INCOMPLETE)
    assert "not even a header" in reason


def test_an_error_with_status_200_is_not_data(home: Home, sandbox: Sandbox) -> None:
    made = rows()
    vendor = holds(sandbox, made)
    assert home.materialize(USERS, yesterday()).success
    for body in ({"error": {"code": 17, "message": "quota"}}, [{"error": "x"}], "quota exceeded\n"):
        vendor.faults.add(ErrorBody(body), after=1)
        assert home.materialize(USERS, yesterday()).success  # asked again
        vendor.faults.add(ErrorBody(body), times=50)
        assert not home.materialize(USERS, yesterday()).success, body
        assert home.sql(ALL) == keys(made), body
        vendor.faults.clear()


def test_a_day_that_loses_most_rows_is_requested_again_and_then_accepted(home: Home, sandbox: Sandbox) -> None:
    """The first answer may be cut off: the second one decides, and the check `volume` warns."""
    vendor = holds(sandbox, rows())
    assert home.materialize(USERS, yesterday()).success
    vendor.data_sets["users"].delete(lambda row: str(row["id"]) > "k002")
    done = home.materialize(USERS, yesterday())
    assert home.sql(ALL) == [("k000",), ("k001",), ("k002",)]
    [volume] = [check for check in done.get_asset_check_evaluations() if check.check_name == "volume"]
    assert not volume.passed
    assert volume.metadata["unusual"].value == f"- {yesterday()}: 3 rows, 20 were stored before"


def test_one_answer_that_is_cut_at_a_row_takes_nothing_away(home: Home, sandbox: Sandbox) -> None:
    made = rows()
    vendor = holds(sandbox, made)
    vendor.page_rows = 50
    assert home.materialize(USERS, yesterday()).success
    few = "".join(
        f"{line}\n" for line in ["id,email,updated_date", *(f"{r['id']},,{r['updated_date']}" for r in made[:3])]
    )
    vendor.faults.add(ErrorBody(few))
    assert home.materialize(USERS, yesterday()).success
    assert home.sql(ALL) == keys(made)
