"""The output of a run is in its log and on the terminal, without an additional process."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution import compute_logs

from orgdata_dagster.dagster_internals import output_mirror
from orgdata_dagster.dagster_internals.output_mirror import mirror_in_threads

TALK = "a word of the run\n"


@dg.asset
def talking() -> None:
    os.write(1, TALK.encode())


def test_the_output_of_a_run_is_in_both_places(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process is started")

    mirror_in_threads()
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))  # pytest's own has another descriptor
    monkeypatch.setattr(compute_logs, "tail_to_stream", refuse)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    (tmp_path / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        job = dg.Definitions(assets=[talking]).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, run_config=quiet)
        [captured] = [event for event in result.all_events if event.event_type_value == "LOGS_CAPTURED"]
        key = [result.run_id, "compute_logs", captured.event_specific_data.file_key]
        data = instance.compute_log_manager.get_log_data(key)
    assert data.stdout == TALK.encode()
    assert capfd.readouterr().out == TALK


def test_a_terminal_that_is_paused_does_not_keep_a_run_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_mirror, "PATIENCE", 0.1)
    log = tmp_path / "out"
    log.write_bytes(b"x" * 1_000_000)  # more than a pipe takes
    reading, writing = os.pipe()

    def run() -> None:
        with output_mirror.copied(str(log), writing):
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    ended = not thread.is_alive()
    os.close(reading)  # wakes the thread that writes
    os.close(writing)
    assert ended
