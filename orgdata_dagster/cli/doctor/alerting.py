"""Findings about alerts: whether they are configured, and whether they can be sent.

Here: the finding. Keep out: sending a test message (`orgdata alerts test`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.orchestration.automation.alerts import channels, heartbeat
from orgdata_dagster.orchestration.automation.alerts.quiet_hours import is_quiet


def findings() -> Iterator[Finding]:
    """Yield one finding."""
    yield from isolated("alerts", lambda: [_alerts()])


def _alerts() -> Finding:
    names = [*channels.channels()]
    is_quiet(datetime.now(UTC))  # raises if the quiet hours are malformed
    if names and not channels.is_installed():
        text = f"{', '.join(names)} cannot be used: Apprise is not installed"
        return Finding("alerts", text, False, channels.REMEDY)
    if heartbeat.url() is not None:
        names.append(heartbeat.VARIABLE)
    nobody = f"no messages are sent about problems; set {channels.URL} to the address that receives them"
    return Finding("alerts", ", ".join(names) or nobody)
