"""The output of commands on a terminal of 80 columns: every table fits, and only long names are cut off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from rich.console import Console

from orgdata_dagster.cli import layout, status_report
from orgdata_dagster.cli.doctor import show as show_findings
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.cli.plan import PullPlan
from orgdata_dagster.cli.plan import show as show_plan
from orgdata_dagster.cli.preview import Preview
from orgdata_dagster.cli.preview import show as show_preview
from orgdata_dagster.cli.progress_view import ProgressView
from orgdata_dagster.cli.workers import Task
from orgdata_dagster.orchestration.assets.progress import Progress, Waiting
from orgdata_dagster.orchestration.planning.plans import AssetPlan, VendorPlan
from orgdata_dagster.overview.table_statuses import TableStatus

pull = import_module("orgdata_dagster.cli.pull")  # the package's attribute of this name is the command
LONG = "channel_reports/reports_per_field_selection"
NOW = datetime.now(UTC)


@pytest.fixture
def terminal() -> Console:
    return Console(width=80, force_terminal=True, color_system=None, record=True)


def lines(console: Console) -> list[str]:
    """The printed lines; each must fit."""
    shown = [line.rstrip() for line in console.export_text().splitlines()]
    assert max(map(len, shown)) <= 80, max(shown, key=len)
    return shown


def status(name: str, **fields: object) -> TableStatus:
    known = {"rows": 12_345_678, "days_complete": 365, "first_day": "2026-01-01", "last_day": "2026-11-27"}
    rest = {"missing_partitions": [], "incomplete": [], "complete_until": NOW, "last_loaded": NOW - timedelta(hours=3)}
    return TableStatus(name, **{**known, **rest, **fields})  # type: ignore[arg-type]


def test_status(terminal: Console) -> None:
    missing = [f"2026-03-0{day}" for day in range(1, 8)]
    name = LONG.replace("/", ".")
    status_report.show_tables(terminal, [status(name, missing_partitions=missing), status("octolis.orders")])
    shown = lines(terminal)
    assert shown[0].split() == ["table", "rows", "days", "gaps", "complete", "until", "age"]
    assert shown[1:4:2] == ["channel_reports", "octolis"]
    assert shown[2].split() == [name.split(".")[1], "12,345,678", "365", "7", *f"{NOW:%Y-%m-%d %H:%M} 3 h".split()]
    assert shown[5:] == [
        f"{name} is not complete: 2026-03-01,",
        "  2026-03-02, 2026-03-03 and 4 more",
    ]


def test_plan(terminal: Console) -> None:
    assets = [
        AssetPlan(LONG, 1234, (), 123_456, 123_456, True, "", 0, "row of reports"),
        AssetPlan("together/users", 1, ("2026-01-01",), 1, 1, False, "1 load in the ledger", 1),
    ]
    show_plan(terminal, PullPlan(assets, [VendorPlan("together", 1, 1, 0.0012, 124.4, False)]))
    shown = lines(terminal)
    assert shown[2].split() == [LONG.split("/")[1], "1,234", "123,456", "123,456", "at", "least"]
    assert shown[4].endswith("1 load")
    told = " ".join(" ".join(shown[5:]).split())
    assert "together: 1 request, 1 point (0.12% of a day's rate limit); takes 2 min 4 s, done at" in told
    assert f"{LONG}: at least 123,456" in told
    assert "requests: one per row of reports" in told
    assert "unavailable: together/users 2026-01-01 (1 day): the vendor has only the current" in told


def test_preview_and_doctor(terminal: Console) -> None:
    request = "GET http://127.0.0.1/api/v4/analytics?" + "&".join(f"parameter_{number}=x" for number in range(3))
    show_preview(terminal, Preview(LONG, [request], "text " * 40, [3], {"a": "BIGINT"}, ("word " * 30,)))
    show_findings(terminal, [Finding("octolis", "word " * 40, False, "remedy " * 20)])
    shown = lines(terminal)
    address = "".join(line.strip().removeprefix("request") for line in shown[1:4]).replace(" ", "")
    assert address.startswith(request.replace(" ", ""))  # too long for a line: broken, but whole
    assert [line for line in shown if line.startswith("WRONG")] == [f"WRONG octolis: {'word ' * 13}".rstrip()]


def test_in_a_pipe_a_text_is_one_line() -> None:
    console = Console(width=40, record=True, force_terminal=False)
    layout.hanging(console, "about: ", "word " * 30)
    assert len(console.export_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.6, "1 min"), (124, "2 min 4 s"), (3_600, "1 h"), (11_400, "3 h 10 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert layout.duration(seconds) == text


def test_progress(terminal: Console) -> None:
    passed = [0.0]
    view = ProgressView(
        terminal, [LONG, "channel_reports/reports_read", "together/users", "accutics/inputs"], lambda: passed[0]
    )
    for asset in (LONG, "together/users"):
        view.begun(asset)
    passed[0] = 64.0
    view.show(Progress(LONG, 40, 60, rows=12_800, requests=88, waited=12.0))
    view.show(Progress("together/users", 0, 1, rows=0, requests=1, waited=0.0))
    view.show(Waiting("together/users", "waiting for the rate limit until 12:03:10 UTC (45 s)"))
    terminal.print(view.picture())
    assert lines(terminal) == [
        f"{LONG}  40 of 60 partitions",  # no room for a bar
        "  12,800 rows (200 rows/s), 88 requests, 1:04 (0:12 for the rate limit)",
        "together/users ━━━━━━━━━━━━━━━━━━━━ 0 of 1 partition",
        "  0 rows, 1 request, 1:04",
        "  waiting for the rate limit until 12:03:10 UTC (45 s)",
        "0 of 4 tables done; 12,800 rows, 89 requests, 1:04",
        "queued: 1 behind channel_reports, 1 until a run ends",
    ]


def test_a_table_that_has_ended_stays_on_the_terminal(terminal: Console) -> None:
    view = ProgressView(terminal, ["together/users", "together/pairings"], lambda: 0.0)
    view.show(Progress("together/users", 1, 1, rows=5, requests=1, waited=0.0))
    view.ended("together/users", None)
    view.ended("together/pairings", "together answers 403. " + "Check the key. " * 5)
    terminal.print(view.picture())
    shown = lines(terminal)
    assert shown[0] == "together/users: done: 1 of 1 partition, 5 rows, 1 request, 0:00"
    assert shown[1].startswith("together/pairings: failed: together answers 403. ")
    assert shown[-1] == "1 of 2 tables done, 1 failed; 5 rows, 1 request, 0:00"


def turns(assets: Sequence[str], slow: str, at_once: int) -> list[str]:
    """The vendors in the order in which their runs begin, if the runs of `slow` never end."""
    slots = pull.Slots({}, at_once)
    waiting, going, begun = [Task(asset, None, None) for asset in assets], list[Task](), list[str]()
    while True:
        while (task := slots.next(waiting)) is not None:
            waiting.remove(task)
            going.append(task)
            begun.append(task.asset.split("/")[0])
        ending = next((task for task in going if not task.asset.startswith(slow)), None)
        if ending is None:
            return begun
        going.remove(ending)
        slots.give_back(ending)


def test_vendors_take_turns() -> None:
    """A slow vendor whose name sorts first used to occupy every run until it was done."""
    assets = [f"{vendor}/{table}" for vendor in ("a_slow", "quick", "other") for table in range(6)]
    begun = turns(assets, "a_slow", at_once=4)
    assert begun[:3] == ["a_slow", "quick", "other"]
    assert begun.count("quick") == begun.count("other") == 6  # all of them, although the slow one never ends
    last = max(at for at, vendor in enumerate(begun) if vendor != "a_slow")
    assert begun[:last].count("a_slow") <= 3  # never all four


def test_every_vendor_has_a_run_of_its_own() -> None:
    tasks = [Task(f"vendor_{number}/x", None, None) for number in range(6)]
    assert pull.runs_at_once(tasks) == 6
    assert pull.runs_at_once(tasks[:2]) == 2
    assert pull.runs_at_once([Task(f"one/{number}", None, None) for number in range(9)]) == 4
