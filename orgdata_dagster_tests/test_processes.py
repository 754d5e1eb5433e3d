"""Processes that tests start have everything imported already; otherwise the suite would take much longer."""

import json
import sys
from pathlib import Path

from orgdata_dagster_tests.processes import PROCESSES


def write_loaded(path: Path) -> None:
    path.write_text(json.dumps(sorted(sys.modules)))


def test_they_start_with_everything_imported(tmp_path: Path) -> None:
    process = PROCESSES.Process(target=write_loaded, args=(tmp_path / "loaded",))
    process.start()
    process.join(60)
    loaded = json.loads((tmp_path / "loaded").read_text())
    assert {"orgdata_dagster.cli.pull", "orgdata_dagster_tests.warehouse.worker"} <= set(loaded)
