"""The only imports of Dagster's private modules. Each module says why, and what happens without them.

What lives here: what Dagster's public interface cannot do, a module per subject.
Add here when: there is no public way, and the code works without it too, if slower or less kindly.
Keep out: what the public interface can do.

An upgrade of Dagster may change its private modules. So everything here has a fallback of public parts, taken where an
import fails, or everywhere with `ORGDATA_DAGSTER_INTERNALS=off`: try that first when an upgrade makes trouble.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH = "ORGDATA_DAGSTER_INTERNALS"


class NotThere(Exception):
    """The private part is not to be used, or this Dagster does not have it: take the fallback."""


@contextmanager
def private(what: str) -> Iterator[None]:
    """Wrap an import of private modules. Raises NotThere, with `what` in the log, where the fallback is to be taken."""
    if os.environ.get(SWITCH, "").lower() == "off":
        raise NotThere(what)
    try:
        yield
    except (ImportError, AttributeError) as error:
        logging.getLogger("dagster").info("this version of Dagster has no private %s: %s", what, error)
        raise NotThere(what) from error


def require(owner: type, *names: str) -> None:
    """Raise ImportError unless a class has all of these attributes, which nobody promised."""
    if missing := [name for name in names if not hasattr(owner, name)]:
        raise ImportError(f"{owner.__name__} has no {', '.join(missing)}")
