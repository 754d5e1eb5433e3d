"""One bad character in a report: every row lands, and the character becomes U+FFFD."""

import pytest

from orgdata_dagster.sandbox.faults import BadCharacter
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
