"""The overview as one HTML file, for `orgdata status --html FILE`. It needs no network and no script.

Here: `page`. Keep out: the content of the tables (wording.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from orgdata_dagster.orchestration.pictures.svg import GREY
from orgdata_dagster.overview import wording
from orgdata_dagster.overview.state import Overview

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1f2328; --soft: #59636e; --line: #d1d9e0; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e6edf3; --soft: #9198a1; --line: #30363d; --bad: #ff7b72 } }
body { margin: 2rem auto; max-width: 84rem; padding: 0 1rem; background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0; color: var(--soft) } .bad { color: var(--bad) }
div { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } th, .number, .short { white-space: nowrap }
.long { min-width: 26rem; width: 45% } nobr { white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto; color: var(--soft) }
"""
_OPTION = re.compile(r"(--\S+)")
_CLASSES = dict.fromkeys(("vendor", "table", "what", "complete until", "behind", "loaded", "waited today"), "short")
_CLASSES |= {"why": "long", "since": "short", "what to do": ""}


def page(seen: Overview) -> str:
    """The file's text."""
    parts = [
        f"<h1>orgdata</h1><p>{escape(wording.headline(seen))}</p>",
        f'<p>as of <time datetime="{seen.now.isoformat()}">{wording.instant(seen.now)}</time>; times are UTC</p>',
    ]
    if seen.failures:
        parts.append(_section("Failing", wording.FAILURES, wording.failures(seen), "bad"))
    parts.append(_section("Vendors", wording.VENDORS, wording.vendors(seen)))
    parts.append(_section("Tables", wording.TABLES, wording.tables(seen)))
    if gaps := list(wording.gaps(seen)):
        lines = "".join(f"<li><b>{escape(table)}</b> {escape(text)}</li>" for table, text in gaps)
        parts.append(f"<h2>Gaps and notes</h2><ul>{lines}</ul>")
    if seen.windows:
        parts.append(_section("Rate limits now", wording.LIMITS, wording.limits(seen)))
    if plot := wording.plot(seen):
        parts.append(f"<h2>Requests of the last days</h2>{plot.replace(GREY, 'currentColor')}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>orgdata: overview</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>{chr(10).join(parts)}</body></html>\n"
    )


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    classes = [f' class="{_CLASSES.get(name, "number")}"' for name in columns]
    head = "".join(f"<th{style}>{escape(name)}</th>" for name, style in zip(columns, classes, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{style}>{_text(cell)}</td>" for cell, style in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    )
    mark = f' class="{kind}"' if kind else ""
    return f"<h2{mark}>{title}</h2><div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(cell: str) -> str:
    """A cell as HTML; the options of a command are not broken after their hyphens."""
    return _OPTION.sub(r"<nobr>\1</nobr>", escape(cell))
