"""How many examples a property is tried with: few in the suite, more on request.

`ORGDATA_TEST_EXAMPLES=20` tries twenty times as many.
"""

from __future__ import annotations

import os

TIMES = int(os.environ.get("ORGDATA_TEST_EXAMPLES", "1"))


def examples(usual: int) -> int:
    """The number of examples of a property that the suite tries `usual` times."""
    return usual * TIMES
