"""Assets of a user's own, downstream of a vendor's table, run by themselves when it changed."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from orgdata_dagster.orchestration.automation.conditions import when_landed
from orgdata_dagster.project.build import build_defs

USERS = dg.AssetKey(["institution_analytics", "users"])


@pytest.mark.usefixtures("home", "sandbox")
def test_an_asset_with_a_condition_runs_when_the_table_changed() -> None:
    @dg.asset(deps=[USERS], automation_condition=when_landed())
    def report() -> None: ...

    ours = build_defs()
    [sensor] = [each for each in ours.sensors or [] if each.name == "downstream"]
    assert isinstance(sensor, dg.AutomationConditionSensorDefinition)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    defs = dg.Definitions.merge(ours, dg.Definitions(assets=[report]))
    with dg.DagsterInstance.ephemeral() as instance:
        before = dg.evaluate_automation_conditions(defs=defs, instance=instance)
        assert before.total_requested == 0
        instance.report_runless_asset_event(dg.AssetMaterialization(USERS, partition=str(datetime.now(UTC).date())))
        after = dg.evaluate_automation_conditions(defs=defs, instance=instance, cursor=before.cursor)
        assert after.get_num_requested(report.key) == 1
        assert after.total_requested == 1  # nothing of a vendor's is asked for by it
