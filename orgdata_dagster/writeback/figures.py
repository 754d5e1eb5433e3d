"""The figures of a sync as Dagster metadata: the terminal, the UI and the run's log show the same.

Here: figures and tables. Add here: another figure. Keep out: computing them (diff.py, delivery.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.metadata import SYNC_SUMMARY
from orgdata_dagster.writeback.delivery import Tally
from orgdata_dagster.writeback.destination import Pace
from orgdata_dagster.writeback.diff import Diff

_ROWS_SHOWN = 20
_PROBLEMS_SHOWN = 100
_WIDEST_VALUE = 40

Figures = dict[str, Any]  # as Dagster accepts it


def of_diff(diff: Diff, batch_size: int, pace: Pace, *, dry_run: str | None) -> Figures:
    """The figures of a comparison: counts, cost, the first rows of a dry run, and the first invalid rows' problems.

    dry_run: why nothing is sent; None if rows will be sent.
    """
    counts = diff.counts
    requests = math.ceil(counts.send / batch_size)
    figures = {
        "source_rows": counts.rows,
        "to_send": counts.send,
        "to_send_again": counts.again,
        "unchanged": counts.unchanged,
        "rejected_before_sending": counts.rejected,
        "refused_before_and_unchanged": counts.refused_before,
        "skipped": counts.skipped,
        "requests_needed": requests,
        "points_needed": requests * pace.cost,
        "minutes_needed": round(requests / pace.requests_per_minute, 2),
    }
    shown = _markdown(("figure", "value"), list(figures.items()))
    if dry_run:
        shown = f"{dry_run}\n\n{shown}\n\n{_first_rows(diff)}"
    return {**figures, "dry_run": dry_run is not None, SYNC_SUMMARY: dg.MetadataValue.md(shown + _problems(diff))}


def _first_rows(diff: Diff) -> str:
    payloads = [(row.number, json.loads(row.payload)) for row in diff.first(_ROWS_SHOWN)]
    if not payloads:
        return "No row would be sent."
    names = list(dict.fromkeys(name for _, payload in payloads for name in payload))
    rows = [(number, *(_value(payload, name) for name in names)) for number, payload in payloads]
    legend = f"The first {counted(len(rows), 'row')} (empty: the column is not sent; null: the value is erased):"
    return f"{legend}\n\n{_markdown(('row', *names), rows)}"


def _problems(diff: Diff) -> str:
    rows = [(each.number, each.key or "", "; ".join(each.problems)) for each in diff.invalid_rows(_PROBLEMS_SHOWN)]
    return "\n\nRejected before sending:\n\n" + _markdown(("row", "key", "problems"), rows) if rows else ""


def of_delivery(tally: Tally, pace: Pace, *, merges: int, waited: float) -> Figures:
    """The figures of a delivery. `waited`: seconds that requests waited for the rate limit."""
    return {
        "written": tally.written,
        "rejected": tally.rejected,
        "not_sent": tally.not_sent,
        "unknown": tally.unknown,
        "sent_again": tally.again,
        "batches": tally.batches,
        "requests": tally.requests,
        "points": tally.requests * pace.cost,
        "merges": merges,
        "waited_for_rate_limit_seconds": round(waited, 3),
    }


def delivered(tally: Tally) -> str:
    """The numbers of rows per outcome, as a Markdown table."""
    figures = {"written": tally.written, "rejected": tally.rejected, "not sent": tally.not_sent,
               "unknown": tally.unknown, "sent again": tally.again}  # fmt: skip
    return _markdown(("result", "rows"), list(figures.items()))


def _value(payload: dict[str, object], name: str) -> str:
    text = json.dumps(payload[name], ensure_ascii=False) if name in payload else ""
    return excerpt(text, _WIDEST_VALUE)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.replace("|", "\\|").split())
