"""Durations in YAML: `90s`, `10m`, `24h`, `7d`.

Here: the type and its parser. Keep out: the uses of durations.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `10m`. Raises ValueError for anything else."""
    if (match := _WRITTEN.fullmatch(text.strip())) is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 90s, 10m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def _checked(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[str, AfterValidator(_checked)]
