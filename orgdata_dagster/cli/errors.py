"""Errors of a user's making: one line, exit status 2, no traceback.

Here: `UserError`. Keep out: failures of runs (exit status 1).
"""

from __future__ import annotations

from orgdata_dagster.http.redaction import redact


class UserError(Exception):
    """What is wrong, where, and what to do; each line stands for itself."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(redact(line) for line in lines))
