"""Webhooks: each new row is sent once, with an id that stays the same, and its result is recorded."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orgdata_dagster.sandbox.faults import Reset
from orgdata_dagster.vendors.octolis.sync.webhook import OctolisWebhook
from orgdata_dagster_tests.vendors.octolis.sync.rig import Rig

HOOK: dict[str, Any] = {
    "name": "news", "webhook_id": "hook", "method": "PUT", "headers": {"x-source": "orgdata"}, "dry_run": False,
    "source": "SELECT id, email, n, CAST(n AS DECIMAL(38, 18)) / 3 AS share, born_at FROM marts.contacts ORDER BY id",
}  # fmt: skip


def test_each_new_row_goes_once_with_its_own_id(own_home: Path, stack: ExitStack) -> None:
    assert own_home
    rig = Rig(stack, rows=6)
    calls = rig.vendor.webhook_calls
    rig.vendor.faults.add(Reset(part=0.5), after=2)  # received, but its answer is lost
    first = rig.run(OctolisWebhook(**HOOK))
    assert first.success, first.failure
    assert (first.metadata["written"], first.metadata["sent_again"], first.metadata["requests"]) == (6, 1, 7)
    ids = [call.payload["event_id"] for call in calls]
    assert (len(ids), len(set(ids))) == (7, 6)
    again = rig.sql("SELECT key, count(*) FROM octolis.news_results WHERE sent_again LIKE 'no answer%' GROUP BY 1")
    assert again == [(next(id_ for id_ in ids if ids.count(id_) == 2), 1)]
    row = {"id": 1, "email": "p1@example.org", "n": 1, "born_at": "1990-01-02"}
    assert any(row.items() <= call.payload.items() for call in calls)  # several are under way at once

    rig.write("INSERT INTO marts.contacts SELECT * FROM marts.contacts WHERE id = 2")  # a duplicate is a row of its own
    rig.write("UPDATE marts.contacts SET n = NULL WHERE id = 4")
    assert rig.run(OctolisWebhook(**HOOK)).metadata["written"] == 2
    assert calls[-1].payload["event_id"] not in ids
    assert {call.payload["n"] for call in calls[-2:]} == {2, None}
    assert rig.run(OctolisWebhook(**HOOK)).metadata["requests"] == 0


def test_with_a_key_a_changed_row_is_not_new_and_an_invalid_key_is_reported(own_home: Path, stack: ExitStack) -> None:
    assert own_home
    rig = Rig(stack, rows=3)
    keyed = {**HOOK, "key": ["EMAIL"], "max_rejected": 0.5}
    assert rig.run(OctolisWebhook(**keyed)).metadata["written"] == 3
    rig.write("UPDATE marts.contacts SET n = 7, email = CASE WHEN id < 1 THEN NULL ELSE email END")
    second = rig.run(OctolisWebhook(**keyed))
    assert (second.metadata["requests"], second.metadata["rejected"]) == (0, 1)
    wrong = rig.run(OctolisWebhook(**{**keyed, "key": ["mail"], "source": "SELECT 1 AS event_id"}))
    assert "key: there is no column 'mail'; there are event_id; the source has a column event_id" in wrong.failure
    refused = rig.run(OctolisWebhook(**{**HOOK, "headers": {}}))
    assert "x-source" in refused.failure.lower()
    assert "whitelists" in refused.failure
    assert rig.sql("SELECT DISTINCT outcome, reason LIKE '%403%' FROM octolis.news_results ORDER BY ALL") == [
        ("not sent", True), ("rejected", False), ("written", None),
    ]  # fmt: skip
