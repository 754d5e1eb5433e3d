"""`status` and `doctor` name failing checks; a check that cannot compare does not fail."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from orgdata_dagster.dagster_internals import SWITCH
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home

ASSET = "institution_analytics/users"
KEY = dg.AssetKey(ASSET.split("/"))


def evaluated(home: Home, check: str, *, passed: bool, error: bool = True) -> None:
    """Store what a run that evaluates the check leaves in Dagster's storage."""
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    with home.instance() as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=KEY,
                check_name=check,
                passed=passed,
                severity=severity,
                description="2 are",
            )
        )


@pytest.mark.parametrize("internals", ["", "off"])
def test_status_and_doctor_name_them_until_they_pass(home: Home, sandbox: Sandbox, internals: str) -> None:
    assert sandbox.url
    home.set(**{SWITCH: internals})
    assert "no check fails" in home.shows("doctor", "--offline").out
    evaluated(home, "keys", passed=False)
    evaluated(home, "volume", passed=False, error=False)
    evaluated(home, "a_check_that_was_removed", passed=False)
    shown = home.shows("status")
    assert f"check keys of {ASSET} fails: 2 are (since " in shown.out
    assert f"check volume of {ASSET} warns: 2 are (since " in shown.out
    assert "removed" not in shown.out
    told = json.loads(home.shows("status", "--json").out)["failing_checks"]
    assert [(each["asset"], each["check"], each["error"]) for each in told] == [
        (ASSET, "keys", True), (ASSET, "volume", False)
    ]  # fmt: skip
    examined = home.shows("doctor", "--offline")
    assert examined.status == 1
    assert f"WRONG checks: check keys of {ASSET} fails: 2 are" in examined.out
    assert f"WARN  checks: check volume of {ASSET} warns" in examined.out
    evaluated(home, "keys", passed=True)
    assert "check keys" not in home.shows("status").out
    assert home.shows("doctor", "--offline").status == 0, "a warning is no problem"


def test_a_volume_without_earlier_days_is_not_comparable_yet(home: Home, sandbox: Sandbox) -> None:
    assert sandbox.url
    done = home.materialize(ASSET)
    [volume] = [each for each in done.get_asset_check_evaluations() if each.check_name == "volume"]
    assert volume.passed
    assert (volume.description or "").startswith("not comparable yet: fewer than 7 partitions before it have landed; ")
    assert f"`orgdata pull {ASSET} --from 20" in (volume.description or "")
