"""What a sync shows of itself: the same in the terminal, in the UI and in the run's log.

Here: figures and tables as Dagster metadata. Add here: another figure. Keep out: finding them out (diff.py,
delivery.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from orgdata_dagster.http.redaction import excerpt
from orgdata_dagster.orchestration.assets.metadata import SYNC_PLAN
from orgdata_dagster.vendors.octolis.writing import WRITE_POINTS
from orgdata_dagster.writeback.delivery import Tally
from orgdata_dagster.writeback.diff import Diff

_ROWS_SHOWN = 20
_PROBLEMS_SHOWN = 100
_WIDEST_VALUE = 40

Metadata = dict[str, dg.MetadataValue]


@dataclass(frozen=True)
class Report:
    """A plan and how it would be carried out: so many rows a request, so many requests a minute."""

    diff: Diff
    batch_size: int
    writes_per_minute: int

    def of_plan(self, *, dry_run: str | None) -> Metadata:
        """What is to be done: counts, what it costs, the first rows, and the problems (of the first hundred rows).

        `dry_run`: why nothing is sent; None where it will be.
        """
        counts = self.diff.counts
        requests = math.ceil(counts.send / self.batch_size)
        figures: dict[str, int | float] = {
            "source_rows": counts.rows,
            "to_send": counts.send,
            "to_send_again": counts.again,
            "unchanged": counts.unchanged,
            "rejected_before_sending": counts.rejected,
            "refused_before_and_unchanged": counts.refused_before,
            "left_out": counts.left_out,
            "requests_needed": requests,
            "points_needed": requests * WRITE_POINTS,
            "minutes_needed": round(requests / self.writes_per_minute, 2),
        }
        shown = _markdown(("", "rows"), list(figures.items()))
        if dry_run:
            shown = f"{dry_run}\n\n{shown}\n\n{self._first_rows()}"
        metadata: Metadata = {name: _number(value) for name, value in figures.items()}
        metadata |= {
            "dry_run": dg.MetadataValue.bool(dry_run is not None),
            SYNC_PLAN: dg.MetadataValue.md(shown + self._problems()),
        }
        return metadata

    def _first_rows(self) -> str:
        payloads = [(row.number, json.loads(row.payload)) for row in self.diff.first(_ROWS_SHOWN)]
        if not payloads:
            return "No row would be sent."
        names = list(dict.fromkeys(name for _, payload in payloads for name in payload))
        rows = [(number, *(_value(payload, name) for name in names)) for number, payload in payloads]
        return f"The first {len(rows)} rows (an empty cell is left out, null erases):\n\n" + _markdown(
            ("row", *names), rows
        )

    def _problems(self) -> str:
        found = self.diff.problems(_PROBLEMS_SHOWN)
        rows = [(problem.number, problem.key or "", "; ".join(problem.problems)) for problem in found]
        return "\n\nRejected before sending:\n\n" + _markdown(("row", "key", "problems"), rows) if rows else ""


def of_delivery(tally: Tally, *, merges: int, requests: int, waited: float) -> Metadata:
    """What was done."""
    figures: dict[str, int | float] = {
        "written": tally.written,
        "rejected": tally.rejected,
        "not_sent": tally.not_sent,
        "unknown": tally.unknown,
        "sent_again": tally.again,
        "batches": tally.batches,
        "requests": requests,
        "points": requests * WRITE_POINTS,
        "merges": merges,
        "waited_for_rate_limit_seconds": round(waited, 3),
    }
    return {name: _number(value) for name, value in figures.items()}


def delivered(tally: Tally) -> str:
    """The same as a table for a person."""
    figures = {"written": tally.written, "rejected": tally.rejected, "not sent": tally.not_sent,
               "unknown": tally.unknown, "sent again": tally.again}  # fmt: skip
    return _markdown(("done", "rows"), list(figures.items()))


def _number(value: int | float) -> dg.MetadataValue:
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(value)


def _value(payload: dict[str, object], name: str) -> str:
    text = json.dumps(payload[name], ensure_ascii=False) if name in payload else ""
    return excerpt(text, _WIDEST_VALUE)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.replace("|", "\\|").split())
