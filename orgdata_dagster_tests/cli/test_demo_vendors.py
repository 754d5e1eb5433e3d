"""Commands in the demo's project start the simulated vendors again if they need them."""

import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from orgdata_dagster import settings
from orgdata_dagster.cli.demo_vendors import FOLDER, answering, vendors_of_demo
from orgdata_dagster.cli.dotenv import load_environment
from orgdata_dagster_tests.integration import project


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's project, as the one of this process."""
    made = project.write(tmp_path / FOLDER, {})
    monkeypatch.setattr(os, "environ", {**os.environ, settings.PROJECT: str(made)})
    return made


def test_they_answer_and_other_commands_find_them(folder: Path) -> None:
    with vendors_of_demo(print):
        url = os.environ["TOGETHER_BASE_URL"]
        with pytest.raises(urllib.error.HTTPError):  # an answer, though not to a request with credentials
            urllib.request.urlopen(url, timeout=10)
        del os.environ["TOGETHER_BASE_URL"], os.environ[settings.TEST_SERVER_PACE]
    load_environment(folder / ".env")
    assert os.environ["TOGETHER_BASE_URL"] == url
    assert settings.test_server_pace(url) == 3
    (folder / ".env").write_text("MINE=1\n")
    with vendors_of_demo(print):
        assert (folder / ".env").read_text() == "MINE=1\n"


def test_no_vendors_are_started_in_other_projects(folder: Path) -> None:
    os.environ[settings.PROJECT] = str(folder.rename(folder.parent / "mine"))
    before = dict(os.environ)
    with vendors_of_demo(print):
        assert os.environ == before


@pytest.mark.usefixtures("folder")
def test_vendors_that_answer_are_not_started_again() -> None:
    with answering():
        url = os.environ["OCTOLIS_BASE_URL"]
        with answering():
            assert os.environ["OCTOLIS_BASE_URL"] == url
    with answering():
        assert os.environ["OCTOLIS_BASE_URL"] != url
