"""The calendar of a table's days as SVG, and pictures as part of Markdown.

Here: `calendar_svg`, `markdown_of`. Add here when: another picture needs no library. Keep out: plots (plots.py).

The states differ in shape as well as in colour. A picture has a transparent background.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from orgdata_dagster.warehouse.ledger.calendar import DayState

GREY = "#7d8590"  # for text and lines: readable on white and on black
COLOURS: Mapping[str, str] = {
    "complete": "#2da44e",
    "unfinished": "#2da44e",
    "incomplete": "#d29922",
    "missing": "#e5534b",
    "not requested": GREY,
}
_CELL, _LEFT, _TOP, _WEEKS = 12, 30, 16, 53
_DAY = timedelta(days=1)
# the shape of a day in each state, relative to the upper left corner of its cell
_SHAPES = {
    "complete": "h10v10h-10z",
    "unfinished": "m0 5h10v5h-10z",  # the lower half
    "incomplete": "m0 10v-10l10 10z",  # a corner
    "missing": "h10v10h-10zm2 2v6h6v-6z",  # a frame
    "not requested": "m4 4h2v2h-2z",  # a dot
}


def calendar_svg(days: Mapping[date, DayState], today: date) -> str:
    """One column per week and one row per weekday, from the first of `days` to today, at most a year."""
    monday = today - today.weekday() * _DAY
    first = max(min(days, default=today), monday - (_WEEKS - 1) * 7 * _DAY)
    start = first - first.weekday() * _DAY
    marks: dict[str, list[str]] = {state: [] for state in _SHAPES}
    months = list[str]()
    for number in range((monday - start).days + 7):
        day = start + number * _DAY
        x, y = _LEFT + number // 7 * _CELL, _TOP + number % 7 * _CELL
        if day <= today:
            marks[days.get(day, "not requested")].append(f"M{x} {y}{_SHAPES[days.get(day, 'not requested')]}")
        if day.day <= 7 and number % 7 == 0:
            months.append(_text(x, 10, f"{day:%b}"))
    weekdays = [_text(0, _TOP + 9 + row * _CELL, name) for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"))]
    paths = [
        f'<path fill="{COLOURS[state]}" fill-rule="evenodd" d="{"".join(found)}"/>'
        for state, found in marks.items()
        if found
    ]
    width = max(_LEFT + ((monday - start).days // 7 + 1) * _CELL, 420)
    return _svg(width, _TOP + 7 * _CELL + 24, [*months, *weekdays, *paths, *_legend(_TOP + 7 * _CELL + 8)])


def days_per_state(states: Iterable[str]) -> str:
    """The number of days per state, as text."""
    found = Counter(states)
    return ", ".join(f"{found[state]:,} {state}" for state in _SHAPES if found[state])


def markdown_of(svg: str, text: str) -> str:
    """Markdown that contains the picture. `text`: the alternative text."""
    data = base64.b64encode(svg.encode()).decode()
    return f"![{text.replace('[', '(').replace(']', ')')}](data:image/svg+xml;base64,{data})"


def _legend(y: int) -> list[str]:
    parts, x = [], _LEFT
    for state, shape in _SHAPES.items():
        parts.append(f'<path fill="{COLOURS[state]}" fill-rule="evenodd" d="M{x} {y}{shape}"/>')
        parts.append(_text(x + 14, y + 9, state))
        x += 24 + 6 * len(state)
    return parts


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{text}</text>'


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="10" fill="{GREY}">{"".join(parts)}</svg>'
    )
