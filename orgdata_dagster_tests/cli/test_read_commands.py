"""`show`, `explain` and completion, on a terminal of 80 columns."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from orgdata_dagster.cli import explain, loaded_project, orgdata, show
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.overview import outline
from orgdata_dagster.project import configured_tables
from orgdata_dagster.warehouse.ledger.calendar import by_their_day, calendar
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def printed(view: object, shown: object) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    view.show(console, shown)  # type: ignore[attr-defined]
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def test_a_day_is_complete_unfinished_incomplete_or_missing() -> None:
    known = {
        "2026-02-27": (Interval(datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),),
        "2026-03-01": (Interval(day(1), day(1, 12)), Interval(day(1, 12), day(2), "a page broke off")),
        "2026-03-02": (Interval(day(2), day(2, 18)),),  # pulled before it was over, and not since
        "2026-03-03": (Interval(day(3), day(3, 6)), Interval(day(3, 6), day(4))),
        "2026-03-04": (Interval(day(4), NOW),),
        None: (Interval(day(1), NOW),),
    }
    assert calendar(known, NOW) == {
        date(2026, 2, 27): "complete",
        date(2026, 2, 28): "missing",
        date(2026, 3, 1): "incomplete",
        date(2026, 3, 2): "incomplete",
        date(2026, 3, 3): "complete",
        date(2026, 3, 4): "unfinished",
    }
    week = {"2026-02-23": (Interval(datetime(2026, 2, 23, tzinfo=UTC), day(2)),)}
    assert list(calendar(week, NOW).values()) == ["complete"] * 7 + ["missing"] * 2
    assert calendar({None: (Interval(day(1), NOW),)}, NOW) == {}
    snapshots = {str(NOW.date()): (Interval(NOW - timedelta(days=1), NOW),)}
    assert calendar(by_their_day(snapshots), NOW) == {NOW.date(): "unfinished"}


def test_years_of_coverage_fit_80_columns() -> None:
    first = date(2022, 1, 1)
    days = {first + timedelta(days=number): "complete" for number in range(1500)}
    days[date(2025, 5, 5)] = "missing"
    for ascii_only in (False, True):
        lines = [line.plain for line in show.months(days, ascii_only=ascii_only)]  # type: ignore[arg-type]
        assert len(lines) == 14
        assert max(map(len, lines)) <= 80
    assert lines[0].startswith("2022-01 to ")
    assert "x" in next(line for line in lines if line.startswith("2025-05"))


@pytest.mark.usefixtures("sandbox")
def test_a_table_is_shown(home: Home) -> None:
    tables = [{"name": "users", "key": ["id"], "column_descriptions": {"email": "The user's address. " * 9}}]
    home.write_project(institution_analytics=institution_analytics(tables=tables))
    assert home.materialize("institution_analytics/users", today(back=3), today(back=2)).success
    name = "institution_analytics/users"
    shown = show.collect(name, show.target_of(name))
    assert {each.name for each in shown.columns if each.key} == {"id"}
    assert [*shown.days.values()] == ["complete", "complete", "missing"]
    assert len(shown.last_rows) == 3
    lines = printed(show, shown)
    assert max(map(len, lines)) <= 80
    assert any("key" in line and line.startswith("id ") for line in lines)
    assert any("The user's address." in line for line in lines)
    json.dumps(shown.as_json())
    view = show.collect("institution_analytics.users_current", show.target_of("institution_analytics.users_current"))
    assert {each.name for each in view.columns if each.key} == {"id"}
    with pytest.raises(
        UserError, match=r"has no table institution_analytics\.user; did you mean institution_analytics\."
    ):
        show.collect("institution_analytics.user")


def test_every_option_is_explained_with_the_place_where_it_is_set(new_home: Home) -> None:
    folder = new_home.write_project(
        institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}, {"name": "courses"}])
    )
    explained = explain.explain("institution_analytics/courses")
    found = {each.option: each for each in explained.options}
    assert all(each.description for each in explained.options), "an option without a description"
    assert found["tables[1].name"].value == "courses"
    [file] = folder.rglob("defs.yaml")
    line = file.read_text().splitlines()[found["tables[1].name"].line - 1]  # type: ignore[operator]
    assert "courses" in line
    assert found["tables[1].key"].source == "default"
    assert found["lookback"].source == "default"
    assert not any(name.startswith("tables[0]") for name in found)
    assert max(len(line) for line in printed(explain, explained) if line.startswith("    ")) <= 80
    with pytest.raises(UserError, match="did you mean institution_analytics/courses"):
        explain.explain("institution_analytics/course")


def test_every_option_of_every_vendor_is_described(new_home: Home) -> None:
    folder = Path(__file__).parent.parent / "snapshots" / "every_option"
    new_home.write_project(**{file.stem: file.read_text() for file in folder.glob("*.yaml")})
    components = list(configured_tables.components())
    names = [each.name for each in configured_tables.tables(among=components)] + ["contacts_out", "news"]
    options = {name: explain.explain(name, among=components).options for name in names}
    assert len(options) > 20
    assert [(name, each.option) for name, found in options.items() for each in found if not each.description] == []
    assert {each.source == "default" for found in options.values() for each in found} == {True, False}


def test_shipped_options_are_described_and_a_tables_own_cron_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORGDATA_PROJECT", raising=False)
    monkeypatch.setenv("OCTOLIS_API_KEY", "a very secret key")
    explained = explain.explain("octolis/vip")
    assert [each.option for each in explained.options if "cron" in each.option] == ["tables[3].cron"]
    assert "secret" not in json.dumps(explained.as_json())
    for name in ("accutics/users", "channel_reports/reports_read", "together/users", "institution_analytics/users"):
        assert [each.option for each in explain.explain(name).options if not each.description] == []


@pytest.mark.usefixtures("new_home")
def test_commands_options_vendors_and_tables_are_completed() -> None:
    outline.keep(loaded_project.load().outline())
    table = "institution_analytics/users"

    def completed(shell: str, words: str, at: str) -> str:
        variables = {"_ORGDATA_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": at}
        code = "from orgdata_dagster.cli import main; import sys; sys.argv = ['orgdata']; main()"
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "| dagster" not in done.stderr, "completion must not import Dagster"
        return done.stdout

    assert table in completed("bash", "orgdata pull institution_analytics/u", "2")
    assert "institution_analytics\n" in completed("zsh", "orgdata plan inst", "2")
    assert "--resume" in completed("fish", "orgdata pull --re", "--re")


@pytest.mark.usefixtures("new_home")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    outline.keep(loaded_project.load().outline())
    command = tmp_path / "orgdata"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m orgdata_dagster.cli "$@"\n')
    command.chmod(0o755)
    code = """eval "$(orgdata completion bash)"
    COMP_WORDS=(orgdata show institution_analytics/e) COMP_CWORD=2
    _orgdata_completion orgdata; echo "${COMPREPLY[@]}" """
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", code], env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.stdout.strip() == "institution_analytics/events", done


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    done = CliRunner().invoke(orgdata, ["completion", shell], prog_name="orgdata")
    assert done.exit_code == 0
    assert f"_ORGDATA_COMPLETE={shell}_complete" in done.output
