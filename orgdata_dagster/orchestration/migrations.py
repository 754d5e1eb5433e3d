"""Dagster's migration scripts, read once.

Here: `read_once`. Keep out: what Dagster keeps in its tables (event_log.py).

To see that its tables are up to date Dagster has alembic import all of its fifty migration scripts: thrice for an
instance and twice for each run, whose events have a file of their own, and each time that takes a tenth of a second.
"""

from __future__ import annotations

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION

_read = ScriptDirectory.from_config


@cache
def read_once() -> ScriptDirectory:
    """Read them now, and never again in this process or one that is forked from it: they do not change meanwhile."""
    config = Config()
    config.set_main_option("script_location", ALEMBIC_SCRIPTS_LOCATION)
    scripts = _read(config)
    scripts.get_current_head()

    def from_config(config: Config) -> ScriptDirectory:
        ours = config.get_main_option("script_location") == ALEMBIC_SCRIPTS_LOCATION
        return scripts if ours else _read(config)

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]
    return scripts
