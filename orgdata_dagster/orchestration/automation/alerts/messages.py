"""The text of an alert: the problems of one vendor that began and that ended.

Here: `message_of`. Keep out: when it is sent (sensor.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from orgdata_dagster.counting import counted
from orgdata_dagster.orchestration.automation.alerts.channels import Message
from orgdata_dagster.orchestration.automation.alerts.problems import Problem

UI_URL = "ORGDATA_UI_URL"
_MOST = 20  # problems that one message lists


def message_of(vendor: str, began: Sequence[Problem], ended: Sequence[Problem], now: datetime) -> Message:
    """The message about a vendor."""
    counts = [f"{counted(len(each), 'problem')} {verb}" for each, verb in ((began, "began"), (ended, "ended")) if each]
    subject = f"orgdata: {vendor}: {', '.join(counts)}"
    if len([*began, *ended]) == 1:
        only, verb = (*began, *ended)[0], "began" if began else "ended"
        subject = f"orgdata: {_named(only)}: {_WORDS[only.kind]} {verb}"
    lines = [f"BEGAN {_named(each)}: {each.text}{_link(each)}" for each in began[:_MOST]]
    lines += [f"ENDED {_named(each)}: {_WORDS[each.kind]}, after {_lasted(each, now)}" for each in ended[:_MOST]]
    left = sum(max(0, len(each) - _MOST) for each in (began, ended))
    if left:
        lines.append(f"... and {left} more, see orgdata status")
    return Message(subject, "\n".join(lines), good=not began)


_WORDS = {
    "run": "failed run",
    "check": "failing check",
    "overdue": "overdue table",
    "gap": "gap that catch_up gave up on",
    "pause": "pause",
    "token": "token that expires soon",
    "sensor": "failing sensor",
    "rejections": "too many rejected rows",
}


def _named(problem: Problem) -> str:
    return problem.subject if problem.subject.startswith(problem.vendor) else f"{problem.vendor} {problem.subject}"


def _link(problem: Problem) -> str:
    ui = os.environ.get(UI_URL) or "http://127.0.0.1:3000"
    return f"\n    {ui.rstrip('/')}/{problem.link}" if problem.link else ""


def _lasted(problem: Problem, now: datetime) -> str:
    """How long the problem lasted since it was first seen."""
    minutes = round((now - datetime.fromisoformat(problem.since)).total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.0f} h" if minutes < 2880 else f"{minutes / 1440:.0f} days"
