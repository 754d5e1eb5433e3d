"""An idle UI and daemon query their code server every 5 s instead of every second."""

import sys
import threading
from types import ModuleType
from unittest.mock import create_autospec

import pytest
from dagster._grpc import server_watcher
from dagster._grpc.client import DagsterGrpcClient

from orgdata_dagster.dagster_internals import SWITCH, event_log_class
from orgdata_dagster.dagster_internals.server_watch import watch_less
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster_tests.integration.home import Home


def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a watch waits between two questions."""
    found, ended = list[float](), threading.Event()
    monkeypatch.setattr(ended, "wait", lambda seconds: found.append(seconds) or ended.set())
    server_watcher.watch_grpc_server_thread(
        "here",
        create_autospec(DagsterGrpcClient, instance=True),
        ended,
        get_location_entry=lambda _: None,
        refresh_code_location=lambda _: None,
        **{name: lambda *_: None for name in ("on_disconnect", "on_reconnected", "on_updated", "on_error")},
    )
    return found


@pytest.mark.parametrize(("process", "seconds"), [("dagster._daemon.cli", 5), ("dagster_webserver.cli", 5), ("", 1)])
def test_the_ui_and_the_daemon_query_less_often(
    process: str, seconds: int, new_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new_home
    monkeypatch.setattr(server_watcher, "WATCH_INTERVAL", 1)
    for name in ("dagster._daemon.cli", "dagster_webserver.cli"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, process or "nobody", ModuleType("it"))
    with shared_instance():  # whose event log sets it, in a Dagster that has room for one
        assert waits(monkeypatch) == [seconds if event_log_class.batched_event_log() else 1]


def test_without_dagsters_private_parts_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_watcher, "WATCH_INTERVAL", 1)
    monkeypatch.setitem(sys.modules, "dagster._daemon.cli", ModuleType("it"))
    monkeypatch.setenv(SWITCH, "off")
    assert not watch_less()
    assert server_watcher.WATCH_INTERVAL == 1
