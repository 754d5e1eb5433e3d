"""The cost of a pull: by the vendor's rules, by the ledger, and compared with the actual cost."""

import json

import pytest

from orgdata_dagster.http.rate_limit import Rule, Window
from orgdata_dagster.orchestration.planning.estimates import Estimate
from orgdata_dagster.orchestration.planning.plans import AssetPlan, plan_of, total
from orgdata_dagster.sandbox.channel_reports import demo
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.vendors.octolis.resource import OctolisLimits
from orgdata_dagster.vendors.together.resource import TogetherLimits
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

DAYS = [f"2026-11-{day:02}" for day in range(1, 11)]


@pytest.mark.parametrize(
    ("kind", "estimate", "past", "requests", "at_least"),
    [
        ("days", Estimate(3, exact=True), {}, 30, False),
        ("days", Estimate(3, exact=True), {"2026-11-01": 9.0}, 30, False),  # a rule that is exact knows better
        ("days", Estimate(3, per_run=2), {}, 32, True),
        ("days", Estimate(1), {"2026-11-01": 9.0, "2026-10-01": 1.0}, 9 + 9 * 5, False),  # its own, and the mean
        ("whole", Estimate(2), {}, 2, True),
        ("whole", Estimate(2), {None: 7.0}, 7, False),
        ("today", Estimate(1, exact=True), {}, 1, False),
    ],
)
def test_requests_are_estimated_by_rules_or_by_the_ledger(
    kind: str, estimate: Estimate, past: dict[str | None, float], requests: int, at_least: bool
) -> None:
    made = plan_of("a/b", kind, DAYS, "2026-11-10", estimate, past)  # type: ignore[arg-type]
    assert (made.requests, made.at_least) == (requests, at_least)
    assert len(made.impossible) == (9 if kind == "today" else 0)


def test_time_and_share_follow_the_vendors_limit() -> None:
    one = AssetPlan("v/a", 1, (), 1, 1, False, "")
    each_minute = total("v", [one] * 60, TogetherLimits().rule(), 0.1)
    assert each_minute.seconds == pytest.approx(3600, rel=0.06)
    assert each_minute.share == pytest.approx(60 / 1440, rel=0.06)
    # 25 in a second and the 0.07 that a request may be late, and 150 a minute, until the account's 2,000 a minute
    many = AssetPlan("v/a", 1, (), 4_000, 4_000, False, "")
    assert total("v", [many], OctolisLimits().rule(), 0.0).seconds == pytest.approx(4_000 / (25 / 1.07 + 2.5), rel=0.01)
    assert total("v", [many], OctolisLimits(account_points_per_minute=300).rule(), 0.0).seconds == pytest.approx(
        800, rel=0.06
    )
    slow = total("v", [many], Rule((), in_flight=4), 2.0)
    assert (slow.share, slow.seconds) == (None, 2_000)
    assert Rule((((Window(60, 60)),),), margin=0).points_per_second == 1


def test_the_plan_of_a_range_equals_the_requests_of_its_pull(home: Home) -> None:
    reports = """
type: orgdata_dagster.ChannelReports
attributes: {start_date: "%s", channels: [1, 2], limits: {concurrent: 4, per_minute: null},
  tables: [{name: reports_per_user}, {name: reports_per_field_selection}]}
"""
    home.write_project(channel_reports=reports % today(back=20))
    with Sandbox(demo(days=20, limits=UNLIMITED)) as sandbox:
        home.set(**environment(sandbox.url))
        home.materialize("channel_reports/reports_per_field_selection", today(back=9), today(back=7))
        before = len(sandbox.log.entries())
        done = home.shows("plan", "channel_reports", "--from", today(back=9), "--to", today(back=1), "--json")
        assert done.status == 0, done.everything
        planned = json.loads(done.out)
        assert len(sandbox.log.entries()) == before  # planning sends no requests
        for name in ("reports_per_user", "reports_per_field_selection"):
            assert home.materialize(f"channel_reports/{name}", today(back=9), today(back=1)).success
        requests = len(sandbox.log.entries()) - before
    [vendor] = planned["vendors"]
    assert abs(vendor["requests"] - requests) <= 0.05 * requests
    assert not vendor["at_least"]
    assert "done_at" in vendor
    bases = {one["asset"].split("/")[1]: one["basis"] for one in planned["assets"]}
    assert bases["reports_per_field_selection"] == "3 loads in the ledger"
    shown = home.shows("plan", "channel_reports", "--from", today(back=2)).out
    assert "of a day's rate limit" in shown or "no limit" in shown
