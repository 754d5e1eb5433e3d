"""The sensor `alerts`: it sends one message per failed asset and day.

Here: which assets failed and why, and sending each message once. Keep out: the channels (channels.py).

A note in the shared state records each message. It is added before the message is sent and removed if that fails,
so that only one of two daemons sends it, and the next failure tries again.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.automation.alerts.channels import Message, NotSent, channels
from orgdata_dagster.orchestration.reasons import of_failed_step
from orgdata_dagster.orchestration.shared_state import shared_state

NAME = "alerts"
UI_URL = "ORGDATA_UI_URL"
WILL_RETRY = "dagster/will_retry"
_KEPT_DAYS = 30
_LONGEST = 1500  # characters of a reason


@dg.run_failure_sensor(
    name=NAME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends one message per failing asset and day to the Slack webhook and the mail server that the "
    "environment configures (see .env.example). Does nothing without them.",
)
def alerts(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Send a message for each failed asset of a run."""
    try:
        ways = channels()
    except ValueError as error:
        return dg.SkipReason(str(error))
    if not ways:
        return dg.SkipReason("neither ORGDATA_SLACK_WEBHOOK_URL nor ORGDATA_SMTP_URL is set")
    if context.dagster_run.tags.get(WILL_RETRY) == "true":
        return dg.SkipReason("Dagster retries this run")
    troubles = []
    sent = shared_state().notes("alerts")
    sent.remove_older(_KEPT_DAYS * 86_400)
    for asset, reason in reasons(context.dagster_run, context.failure_event, context.get_step_failure_events()).items():
        message = message_of(asset, reason, context.dagster_run.run_id)
        for way, send in ways.items():
            today = f"{datetime.now(UTC).date()} {asset} {way}"
            if sent.add(today):
                try:
                    send(message)
                except NotSent as error:
                    sent.remove(today)
                    troubles.append(str(error))
    if troubles:
        context.log.error("; ".join(troubles))
        return dg.SkipReason("; ".join(troubles))
    return None


def reasons(run: dg.DagsterRun, failure: dg.DagsterEvent, steps: Sequence[dg.DagsterEvent]) -> dict[str, str]:
    """Failed asset -> the reason. For a run without failed steps: all its assets, or the job."""
    assets = {"__".join(key.path): key.to_user_string() for key in run.asset_selection or ()}
    found = {
        assets.get(event.step_key or "", event.step_key or run.job_name): of_failed_step(event)
        or event.message
        or "the step failed"
        for event in steps
    }
    if not found:
        found = dict.fromkeys(assets.values() or [run.job_name], failure.message or "the run failed")
    return found


def message_of(asset: str, reason: str, run_id: str) -> Message:
    """The message for a failed asset."""
    ui = os.environ.get(UI_URL) or "http://127.0.0.1:3000"
    text = excerpt(reason, _LONGEST)
    return Message(
        f"orgdata: {asset} failed", f"{text}\n{ui.rstrip('/')}/runs/{run_id}\nNo more messages about this asset today."
    )
