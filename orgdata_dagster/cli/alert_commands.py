"""`orgdata alerts`: test whether messages arrive.

Here: the command and its output. Keep out: sending (orchestration/automation/alerts/).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from orgdata_dagster.cli.check_commands import as_json_option
from orgdata_dagster.cli.json_output import print_json


@dataclass(frozen=True)
class TestResult:
    """The result of one test message.

    variable: the environment variable with the address.
    error: why the message was not sent; None if it was.
    """

    variable: str
    error: str | None


@click.group()
def alerts() -> None:
    """Messages that are sent when a problem begins and when it ends."""


@alerts.command()
@as_json_option
def test(as_json: bool) -> None:
    """Send a message to every ORGDATA_ALERT_URL..., and ping ORGDATA_HEARTBEAT_URL."""
    tried = attempts()
    if as_json:
        print_json({"tried": tried})
    for each in tried if not as_json else ():
        click.echo(f"{each.variable}: sent" if each.error is None else each.error)
    if not tried and not as_json:
        click.echo("nothing to test: set ORGDATA_ALERT_URL, ORGDATA_ALERT_URL_<NAME> or ORGDATA_HEARTBEAT_URL")
    sys.exit(0 if tried and not any(each.error for each in tried) else 1)


def attempts() -> list[TestResult]:
    """Send a test message to every configured address."""
    from orgdata_dagster.http import redaction
    from orgdata_dagster.orchestration.automation.alerts import channels, heartbeat
    from orgdata_dagster.orchestration.automation.alerts.channels import Message, NotSent

    redaction.install()
    message = Message("orgdata: test", "This is a test. Alerts of orgdata arrive here.", good=True)
    found = list[TestResult]()
    for name, url in channels.channels().items():
        try:
            channels.send(name, url, message)
            found.append(TestResult(name, None))
        except NotSent as error:
            found.append(TestResult(name, str(error)))
    if heartbeat.url() is not None:
        try:
            heartbeat.ping()
            found.append(TestResult(heartbeat.VARIABLE, None))
        except NotSent as error:
            found.append(TestResult(heartbeat.VARIABLE, str(error)))
    return found
