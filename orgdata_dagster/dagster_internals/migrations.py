"""Dagster's migration scripts, read once per process.

Here: `read_once`. Keep out: the content of Dagster's tables (event_log.py).

Why: to check that its tables are up to date, Dagster imports all of its fifty migration scripts, three times per
instance and twice per run. Each time takes a tenth of a second.
Fallback: Dagster reads them every time.
"""

from __future__ import annotations

import sys
from functools import cache

from orgdata_dagster.dagster_internals import NotThere, private

# Alembic imports Mako, and Mako a highlighter for pages about errors in templates, which nobody sees. It takes 50 ms of
# every command that opens an instance. Without it, Mako's pages have no colours.
_HIGHLIGHTER = "mako.ext.pygmentplugin"
if hidden := _HIGHLIGHTER not in sys.modules:
    sys.modules[_HIGHLIGHTER] = None  # type: ignore[assignment] # nothing can import it
from alembic.config import Config  # noqa: E402
from alembic.script import ScriptDirectory  # noqa: E402

if hidden:
    del sys.modules[_HIGHLIGHTER]


def read_once() -> ScriptDirectory | None:
    """Read the scripts now, and not again in this process or in its forked children.

    Returns None if this version of Dagster stores them elsewhere.
    """
    try:
        with private("location of the migration scripts"):
            from dagster._core.storage.sql import ALEMBIC_SCRIPTS_LOCATION
    except NotThere:
        return None
    return _read(ALEMBIC_SCRIPTS_LOCATION)


@cache
def _read(location: str) -> ScriptDirectory:
    original = ScriptDirectory.from_config
    config = Config()
    config.set_main_option("script_location", location)
    scripts = original(config)
    scripts.get_current_head()

    def from_config(config: Config) -> ScriptDirectory:
        return scripts if config.get_main_option("script_location") == location else original(config)

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]
    return scripts
