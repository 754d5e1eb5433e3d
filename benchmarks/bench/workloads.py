"""What `make bench` measures: pulls of simulated vendors, and commands on a home in which tables have landed.

Here: the workloads and their sizes. Keep out: running and timing them (__main__.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ORGDATA, BARE, DLT = "orgdata", "bare loop", "dlt"


@dataclass(frozen=True)
class Workload:
    """One line of the results.

    builder, options: the world (outside/world.py), and its size.
    rival: its name in bare.py and tuned_dlt.py; "": it is not compared.
    args: the arguments of `orgdata`; empty for a pull of all days of the world.
    warm: whether it runs in a home that has pulled the same before; otherwise each round has a new home.
    rounds: number of rounds, at most.
    on_request: whether it is measured only if `--only` names it, because it takes minutes.
    """

    name: str
    title: str
    builder: str
    options: Mapping[str, Any]
    rival: str = ""
    args: tuple[str, ...] = ()
    warm: bool = False
    rounds: int = field(default=10**6)
    on_request: bool = False


def workloads(scale: float = 1) -> list[Workload]:
    """All workloads. `scale` multiplies numbers of rows, tables and requests."""

    def much(count: int) -> int:
        return max(1, round(count * scale))

    rows, records, days, huge = much(1_000_000), much(500_000), much(365), much(1_000_000)
    small = {"tables": 2, "rows": much(3_450), "days": 26}
    nine = {"tables": 1, "rows": 9}
    many = {"tables": much(200), "rows": 5}
    ten = {"rows": much(10_000_000), "days": 260}
    return [
        Workload("csv", f"{rows:,} CSV rows, 26 days", "csv_days", {"rows": rows, "days": 26}, "csv"),
        Workload("json", f"{records:,} JSON records", "json_records", {"records": records}, "json"),
        Workload("year", f"{days} days of channel_reports", "many_requests", {"days": days}, "requests"),
        Workload("small", f"{2 * much(3_450):,} rows of two tables, 26 days", "csv_tables", small, "csv"),
        Workload("huge", f"{huge:,} CSV rows, one day", "csv_days", {"rows": huge, "days": 1}, "csv"),
        Workload("ten", f"{ten['rows']:,} CSV rows, 260 days", "csv_days", ten, rounds=1, on_request=True),
        Workload("tables", f"{much(200)} tables x 5 rows", "csv_tables", many, "csv", rounds=1),
        Workload("nine", "9 rows, first pull", "csv_tables", nine),
        Workload("again", "9 rows, next pull", "csv_tables", nine, warm=True),
        Workload("status", "`orgdata status`", "csv_tables", small, args=("status",), warm=True),
        Workload("validate", "`orgdata validate`", "csv_tables", small, args=("validate",), warm=True),
        Workload("plan", "`orgdata plan`", "csv_tables", small, args=("plan",), warm=True),
    ]
