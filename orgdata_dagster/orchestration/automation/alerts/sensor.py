"""The sensor `alerts`: a failed run becomes a message for each of its assets, once a day.

Here: which assets failed and why, and that nobody is told twice. Keep out: sending (channels.py).

What was told is a file in ORGDATA_HOME/alerts, made before the message goes and taken away if it does not get out: so
of two daemons one tells, and a message that failed is tried again with the next failure.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from orgdata_dagster import settings
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.automation.alerts.channels import Message, NotSent, channels
from orgdata_dagster.orchestration.reasons import of_failed_step

NAME = "alerts"
UI_URL = "ORGDATA_UI_URL"
WILL_RETRY = "dagster/will_retry"
_KEPT_DAYS = 30
_LONGEST = 1500  # characters of a reason


@dg.run_failure_sensor(
    name=NAME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells people of failed assets, one message an asset and day: by the Slack webhook and the mail server "
    "that the environment names (see .env.example); without them it does nothing.",
)
def alerts(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Send what is to be said of a failed run."""
    try:
        ways = channels()
    except ValueError as error:
        return dg.SkipReason(str(error))
    if not ways:
        return dg.SkipReason("neither ORGDATA_SLACK_WEBHOOK_URL nor ORGDATA_SMTP_URL is set")
    if context.dagster_run.tags.get(WILL_RETRY) == "true":
        return dg.SkipReason("it is tried again by itself")
    troubles = []
    for asset, reason in reasons(context.dagster_run, context.failure_event, context.get_step_failure_events()).items():
        message = message_of(asset, reason, context.dagster_run.run_id)
        for way, send in ways.items():
            with _once(f"{asset} {way}") as first:
                if first:
                    try:
                        send(message)
                    except NotSent as error:
                        _forget(f"{asset} {way}")
                        troubles.append(str(error))
    if troubles:
        context.log.error("; ".join(troubles))
        return dg.SkipReason("; ".join(troubles))
    return None


def reasons(run: dg.DagsterRun, failure: dg.DagsterEvent, steps: Sequence[dg.DagsterEvent]) -> dict[str, str]:
    """Asset -> why it failed; of a run without failed steps all its assets, or the job."""
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
    """What people read."""
    ui = os.environ.get(UI_URL) or "http://127.0.0.1:3000"
    text = excerpt(reason, _LONGEST)
    return Message(
        f"orgdata: {asset} failed", f"{text}\n{ui.rstrip('/')}/runs/{run_id}\nNo further message of it today."
    )


@contextmanager
def _once(what: str) -> Iterator[bool]:
    """Whether this is the first time today."""
    _forget_old()
    try:
        os.close(os.open(settings.alerts() / _file(what), os.O_CREAT | os.O_EXCL, 0o600))
        yield True
    except FileExistsError:
        yield False


def _forget(what: str) -> None:
    (settings.alerts() / _file(what)).unlink(missing_ok=True)


def _forget_old() -> None:
    for file in settings.alerts().iterdir():
        if datetime.now(UTC).timestamp() - file.stat().st_mtime > _KEPT_DAYS * 86_400:
            file.unlink(missing_ok=True)


def _file(what: str) -> str:
    return f"{datetime.now(UTC).date()} {what}".replace("/", "__")
