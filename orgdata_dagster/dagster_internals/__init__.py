"""Everything that depends on undocumented parts of Dagster: its private modules, and the tables of its SQLite files.

Here: functions that Dagster's public interface does not offer, with one module per subject. Each module documents its
reason and its fallback.
Add here when: there is no public way, and the code also works without it, perhaps more slowly.
Keep out: everything that the public interface offers.

An upgrade of Dagster may change these parts. The functions here therefore have a public fallback, which is used if an
import fails, or everywhere with `ORGDATA_DAGSTER_INTERNALS=off`. Try that first if an upgrade causes problems. The
exception is celery_launcher.py, which only the dagster.yaml of a deployment with Celery names: its fallback is another
class in that file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH = "ORGDATA_DAGSTER_INTERNALS"


class NotThere(Exception):
    """The private part is switched off, or this Dagster does not have it. The caller uses its fallback."""


@contextmanager
def private(what: str) -> Iterator[None]:
    """Wrap an import of private modules. Raises NotThere, and logs `what`, if the fallback must be used."""
    if os.environ.get(SWITCH, "").lower() == "off":
        raise NotThere(what)
    try:
        yield
    except (ImportError, AttributeError) as error:
        logging.getLogger("dagster").info("this version of Dagster has no private %s: %s", what, error)
        raise NotThere(what) from error


def require(owner: type, *names: str) -> None:
    """Raise ImportError unless a class has all of these private attributes."""
    if missing := [name for name in names if not hasattr(owner, name)]:
        raise ImportError(f"{owner.__name__} has no {', '.join(missing)}")
