"""`docs/start.md`, `docs/writing_back.md` and the asset of `docs/project.md` work as written, and print what the pages
show.

The demo and `orgdata dev` have their own tests (integration/test_demo.py, cli/test_dev.py).
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orgdata_dagster import settings
from orgdata_dagster.sandbox import institution_analytics, octolis, together
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.documents import blocks, not_printed, sessions
from orgdata_dagster_tests.integration import project
from orgdata_dagster_tests.integration.home import Home

_PACE = "0.05"


def test_the_first_hour(new_home: Home) -> None:
    credentials = next(text for text in blocks("docs/start.md", "sh") if "TOGETHER_API_KEY" in text)
    names = [line.split("=")[0] for line in credentials.splitlines()]
    steps = [step for step in sessions("docs/start.md") if not step[0].startswith("orgdata demo")]
    assert len(steps) >= 9
    with Sandbox(together.demo(limits=together.document_limits(float(_PACE)))) as vendor:
        values = environment(vendor.url) | {settings.TEST_SERVER_PACE: _PACE}
        assert set(names) <= set(values)
        for line, shown in steps:
            done = new_home.orgdata(*shlex.split(line)[1:])
            assert done.status == 0, f"{line}: {done.everything}"
            assert not_printed(shown, done.everything) == [], f"{line} prints\n{done.everything}"
            if line.startswith("orgdata init"):
                [made] = new_home.folder.parent.glob("command-*/mine")
                new_home.set(ORGDATA_PROJECT=str(made), ORGDATA_HOME=str(made / ".orgdata"))
            elif "validate" in line and "not configured" in done.everything:
                new_home.set(**{name: values[name] for name in names})


def test_writing_back(home: Home) -> None:
    contacts, _ = blocks("docs/writing_back.md", "yaml")
    source = institution_analytics.demo(days=2, rows=60, limits=UNLIMITED)
    users, now = source.data_sets["users"], datetime.now(UTC)
    for number, row in enumerate(users.truth()):  # soon after midnight, no user would be of today
        if row["nickname"] == "nick":
            users.touch(str(row["id"]), now - timedelta(milliseconds=number))
    with Sandbox(source, octolis.demo(records=200)) as vendors:
        home.set(**environment(vendors.url))
        folder = home.write_project(institution_analytics=project.institution_analytics(), octolis=contacts)
        for line, shown in sessions("docs/writing_back.md"):
            if line == "orgdata sync contacts_out":
                _really_send(folder)
            done = home.orgdata(*shlex.split(line)[1:])
            assert done.status == 0, f"{line}: {done.everything}"
            assert not_printed(shown, done.everything) == [], f"{line} prints\n{done.everything}"
    [(sent,)] = home.sql("SELECT count(*) FROM octolis.contacts_out_results WHERE outcome = 'written'")
    assert sent > 0


def _really_send(folder: Path) -> None:
    """Set `dry_run: false`, as the page says."""
    [file] = folder.glob("*/defs/octolis/defs.yaml")
    file.write_text(file.read_text().replace("dry_run: true", "dry_run: false"))


@pytest.mark.usefixtures("sandbox")
def test_the_asset_on_the_page_of_a_project(home: Home) -> None:
    [example] = blocks("docs/project.md", "python")
    folder = home.write_project(institution_analytics=project.institution_analytics())
    [defs] = folder.glob("*/defs")
    (defs / "own.py").write_text(example)
    done = home.orgdata("pull", 'key:"institution_analytics/users"+')
    assert done.status == 0, done.everything
    with home.instance() as instance:
        landed = instance.get_latest_materialization_event(dg.AssetKey("users_by_day"))
    assert landed is not None
    assert landed.asset_materialization is not None
    assert landed.asset_materialization.metadata["days"].value == 1
