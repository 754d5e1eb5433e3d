"""Reports with bad characters, which become U+FFFD, and error texts, which are not reports."""

import pytest

from orgdata_dagster.sandbox.faults import BadCharacter, ErrorBody
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.vendors.together.rig import Runs


@pytest.mark.parametrize("what", ["surrogate", "nul", "utf8", "bom"])
def test_a_report_with_a_bad_character_lands(home: Home, sandbox: Sandbox, runs: Runs, what: str) -> None:
    sandbox.together.faults.add(BadCharacter(what))  # type: ignore[arg-type]
    assert runs.materialize("together/users").success
    truth = sandbox.together.truth("users") or []
    assert home.sql("SELECT count(*) FROM together.users") == [(len(truth),)]
    assert home.sql("SELECT sum(replaced_characters) FROM _orgdata.loads") == [(0 if what == "bom" else 1,)]


@pytest.mark.parametrize("report", ["quota exceeded", "Error: quota exceeded\nTry again later\n"])
def test_an_error_text_in_place_of_a_report_lands_in_no_table(
    home: Home, sandbox: Sandbox, runs: Runs, report: str
) -> None:
    """Also on the first pull of a table without a key, which has nothing to compare the text with."""
    sandbox.together.faults.add(ErrorBody({"report": report}), times=10)
    assert not runs.materialize("together/sessions").success
    assert home.sql("SELECT count(*) FROM information_schema.tables WHERE table_name = 'sessions'") == [(0,)]
