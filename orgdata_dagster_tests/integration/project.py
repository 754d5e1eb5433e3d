"""A Dagster project in a folder, with YAML and no Python.

Here: writing one. Add here when: a test needs another vendor's settings. Keep out: reading it, which is orgdata's part.
"""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

# Dagster keeps what a step prints with two processes a step; nothing here reads that.
NO_COMPUTE_LOGS = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""

ON_POSTGRES = """
storage:
  postgres:
    postgres_url: {env: DAGSTER_POSTGRES_URL}
"""

_numbers = itertools.count(1)


def today(back: int = 0) -> str:
    """The UTC day so many days ago."""
    return str(datetime.now(UTC).date() - timedelta(days=back))


def institution_analytics(**attributes: Any) -> str:
    """The defs.yaml of the tests: no rate limit, short waits between attempts."""
    usual = {
        "start_date": today(back=20),
        "limits": {"concurrent": 2, "per_minute": None},
        "retries": {"attempts": 3, "first_wait": 0.01},
        "tables": [
            {"name": "users", "key": ["id"], "column_descriptions": {"email": "Where they are written to."}},
            {"name": "courses", "key": ["id"]},
            {"name": "events", "key": ["id"], "columns": {"score": "DOUBLE"}, "contract": "freeze"},
        ],
    }
    return yaml.safe_dump({"type": "orgdata_dagster.InstitutionAnalytics", "attributes": usual | attributes})


def write(folder: Path, defs: Mapping[str, str]) -> Path:
    """Write a project with `defs` (vendor -> its defs.yaml) into `folder`; returns the folder."""
    # a name of its own for each: Python keeps modules by name, and tests load several projects in one process
    package = f"orgdata_project_{next(_numbers)}"
    for path in (folder / package, folder / package / "defs"):
        path.mkdir(parents=True)
        (path / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
    )
    (folder / "dagster.yaml").write_text((Path(__file__).parents[2] / "dagster.yaml").read_text() + NO_COMPUTE_LOGS)
    for vendor, text in defs.items():
        (folder / package / "defs" / vendor).mkdir()
        (folder / package / "defs" / vendor / "defs.yaml").write_text(text)
    return folder
