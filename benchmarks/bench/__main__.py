"""Measure orgdata, alternating with the bare loop and dlt, and print one table; see `--help`.

Here: the rounds, and the parts with tables of their own. Keep out: what is run (workloads.py), and the tables
(report.py).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks import reservations, warehouses
from benchmarks.bench import at_size, idle, report
from benchmarks.bench.report import Run
from benchmarks.bench.workloads import BARE, DLT, ORGDATA, Workload, workloads
from benchmarks.outside import group as groups
from benchmarks.outside import stopping
from benchmarks.outside.command import Command, Ended
from benchmarks.outside.home import Home
from benchmarks.outside.server import Server

_HERE = Path(__file__).parent
_OPTIONAL = {"size": at_size.measure, "idle": idle.measure}  # take minutes, and are not compared
_PARTS = {"warehouses": warehouses, "reservations": reservations}  # measured in this process, with tables of their own
_SCRIPTS = {BARE: "bare.py", DLT: "tuned_dlt.py"}


def main() -> int:
    """Measure; returns 1 if anything failed or a table differs from the truth."""
    options = _options()
    groups.adopt()
    names = options.only.split(",")
    chosen = [
        each for each in workloads(options.scale) if (each.name in names if options.only else not each.on_request)
    ]
    load = os.getloadavg()[0]
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="orgdata-bench-") as folder, stopping.guarded():
        for workload in chosen:
            where = Path(folder) / workload.name
            _note(runs, _measure(workload, where, options.rounds, _rivals(workload, options)))
            shutil.rmtree(where)
        for name in _OPTIONAL.keys() & {*names}:
            _note(runs, _OPTIONAL[name](Path(folder) / name, options.rounds))
    if runs:
        print(report.text(runs))
        if options.write:
            report.write(runs, options.rounds, (load, os.getloadavg()[0]), _kind())
    for part in (_PARTS[name] for name in names if name in _PARTS):
        load, table = os.getloadavg()[0], part.measured()
        print(f"{part.TITLE}\n\n{table}")
        if options.write:
            report.write_section(part.TITLE, table, load)
    return 1 if any(run.failed or run.wrong for run in runs) else 0


def _note(runs: list[Run], measured: Iterator[Run]) -> None:
    for run in measured:
        runs.append(run)
        print(f"{run.workload}: {run.who}: {run.seconds:.2f} s, {run.cpu:.1f} s of CPU", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Measure orgdata, and compare it with a bare loop and dlt."
    )
    names = ", ".join(each.name for each in workloads() if not each.on_request)
    optional = ", ".join([*(each.name for each in workloads() if each.on_request), *_OPTIONAL, *_PARTS])
    parser.add_argument(
        "--only", default="", help=f"workloads, separated by commas: {names}; only on request: {optional}"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1, help="multiplies the rows; below 1 for a quick trial")
    parser.add_argument("--alone", action="store_true", help="measure only orgdata")
    parser.add_argument("--dlt-python", default="", help="a Python with dlt; default: this one, if dlt is installed")
    parser.add_argument("--write", action="store_true", help=f"write the results to {report.RESULTS.name}")
    return parser.parse_args()


def _rivals(workload: Workload, options: argparse.Namespace) -> dict[str, str]:
    """What the workload is compared with -> its Python."""
    if not workload.rival or options.alone:
        return {}
    found = {BARE: sys.executable}
    if python := options.dlt_python or (sys.executable if importlib.util.find_spec("dlt") else ""):
        found[DLT] = python
    return found


def _measure(workload: Workload, folder: Path, rounds: int, rivals: dict[str, str]) -> Iterator[Run]:
    with Server(workload.builder, dict(workload.options), folder / "truth") as server:
        home = Home(folder / "warm", server)
        if workload.warm and (first := home.orgdata(*home.pull_words())).status:
            _tell(workload, f"{ORGDATA}'s first pull", first)
            yield _run(workload, ORGDATA, first, server, 0)
            return
        for number in range(min(rounds, workload.rounds)):
            for who, python in rivals.items():
                yield _rival(workload, server, folder / f"{who}-{number}", who, python)
            if workload.warm:
                yield _own(workload, home)
            else:
                yield _own(workload, Home(folder / f"home-{number}", server))
                shutil.rmtree(folder / f"home-{number}")


def _own(workload: Workload, home: Home) -> Run:
    home.server.forget()
    ended = home.orgdata(*(workload.args or home.pull_words()))
    _tell(workload, ORGDATA, ended)
    wrong = sum(found.wrong for found in home.differences(ended_well=ended.status == 0).values())
    return _run(workload, ORGDATA, ended, home.server, wrong)


def _rival(workload: Workload, server: Server, folder: Path, who: str, python: str) -> Run:
    server.forget()
    (folder / "data").mkdir(parents=True)
    tables = [table.name.partition(".")[2] for table in server.tables]
    script = str(_HERE / _SCRIPTS[who])
    words = [python, script, workload.rival, server.url, str(folder / "data"), *map(str, server.days), *tables]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = Command(words, environment, folder).wait(1200)
    _tell(workload, who, ended)
    wrong = _other_count(next((folder / "data").glob("*.duckdb"), None), tables, server)
    shutil.rmtree(folder)
    return _run(workload, who, ended, server, wrong)


def _run(workload: Workload, who: str, ended: Ended, server: Server, wrong: int) -> Run:
    failed = ended.status != 0 or ended.stuck
    return Run(workload.title, who, ended.seconds, ended.cpu, ended.peak, len(server.log()), wrong, failed)


def _tell(workload: Workload, who: str, ended: Ended) -> None:
    if ended.status or ended.stuck:
        print(f"{workload.name}: {who} failed with {ended.status}:\n{ended.text[-3000:]}", file=sys.stderr)


def _other_count(file: Path | None, tables: list[str], server: Server) -> int:
    """By how many rows a script's tables differ in number from the truth. Their content is not compared."""
    truth = {table.name.partition(".")[2]: _lines(server.folder / table.file) for table in server.tables}
    if file is None:
        return sum(truth.values())
    with duckdb.connect(str(file), read_only=True) as connection:
        found = dict(connection.execute("SELECT table_name, estimated_size FROM duckdb_tables()").fetchall())
    return sum(abs(found.get(table, 0) - truth[table]) for table in tables)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        count = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return count - 1 if path.suffix == ".csv" else count


def _kind() -> str:
    group = groups.make()
    group.close()
    return group.kind


if __name__ == "__main__":
    sys.exit(main())
