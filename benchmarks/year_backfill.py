"""A year's backfill of channel_reports: 365 days x 9 endpoints, beside a bare loop; then killed half way and resumed.

The bare loop is httpx in four threads, each answer into a file. Ours is `orgdata pull`, the real command: Dagster runs
in worker processes, typed and committed tables, the ledger, an event a partition in the UI. Both ask the same server,
without limits. Requests a second are the server's own figures, from the first request to the last one; "in all" is from
the start of the command to its end.

    python benchmarks/year_backfill.py [--days 365]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

THREADS = 4
FIELD = 2  # a field of the sandbox that can be counted


def serve(days: int) -> None:
    """The server: one channel with reports of so many days."""
    from orgdata_dagster.sandbox.channel_reports import demo
    from orgdata_dagster.sandbox.limits import UNLIMITED
    from orgdata_dagster.sandbox.server import serve as run

    run(vendors=[demo(days=days, limits=UNLIMITED)], announce=lambda url: print(url, flush=True))


def bare(url: str, folder: Path, days: list[date]) -> None:
    """The bare loop: every answer into a file."""
    import httpx

    from orgdata_dagster.vendors.channel_reports.endpoints import ENDPOINTS

    with httpx.Client(headers={"authorization": "Bearer sandbox-token"}, verify=False) as client:

        def ask(question: tuple[str, date]) -> None:
            endpoint, day = question
            window = {"start_date": f"{day}T00:00:00Z", "end_date": f"{day + timedelta(days=1)}T00:00:00Z"}
            query = {
                "channel_id": "1",
                "field_id": str(FIELD),
                "fields": ",".join(ENDPOINTS[endpoint].fields),
                **window,
            }
            answer = client.get(f"{url}/channel_reports/api/v4/analytics/{endpoint}", params=query)
            answer.raise_for_status()
            (folder / f"{endpoint}-{day}.json").write_bytes(answer.content)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(ask, [(endpoint, day) for endpoint in ENDPOINTS for day in days]))


class Pull:
    """A project with the vendor in a folder, and the command on it."""

    def __init__(self, url: str, folder: Path, days: list[date]) -> None:
        self._days = days
        self._home = folder / "home"
        project = folder / "project"
        defs = project / "year_backfill_project" / "defs" / "channel_reports"
        defs.mkdir(parents=True)
        for package in (defs.parent, defs.parent.parent):
            (package / "__init__.py").touch()
        (project / "pyproject.toml").write_text(
            '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "year_backfill_project"\n'
        )
        (project / "dagster.yaml").write_text((Path(__file__).parents[1] / "dagster.yaml").read_text())
        attributes = {
            "start_date": str(days[0]),
            "channels": [1],
            "field_ids": [FIELD],
            "limits": {"concurrent": None, "per_minute": None},
        }
        (defs / "defs.yaml").write_text(
            yaml.safe_dump({"type": "orgdata_dagster.ChannelReports", "attributes": attributes})
        )
        self._environment = {
            **os.environ,
            "ORGDATA_HOME": str(self._home),
            "ORGDATA_PROJECT": str(project),
            "DAGSTER_HOME": "",
            "CHANNEL_REPORTS_BASE_URL": f"{url}/channel_reports",
            "CHANNEL_REPORTS_API_TOKEN": "sandbox-token",
        }

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own."""
        command = [sys.executable, "-m", "orgdata_dagster.cli", "pull", "channel_reports", "--from", str(self._days[0])]
        return subprocess.Popen(
            [*command, "--to", str(self._days[-1]), *options], env=self._environment, start_new_session=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def windows(self) -> Counter[tuple[str, str]]:
        """(table, day) -> how often it is covered completely."""
        import duckdb

        with duckdb.connect(str(self._home / "warehouse.duckdb"), read_only=True) as connection:
            sql = "SELECT table_name, partition_key FROM _orgdata.coverage WHERE complete"
            return Counter(connection.execute(sql).fetchall())


def requests(url: str, after: float = 0) -> list[dict[str, Any]]:
    """What the server has seen since `after` (its monotonic clock)."""
    with urllib.request.urlopen(f"{url}/_sandbox/log?vendor=channel_reports") as answer:
        entries: list[dict[str, Any]] = json.load(answer)
    return [entry for entry in entries if entry["arrived"] > after]


def asked(entry: dict[str, Any]) -> tuple[str, str]:
    """The table and day of a request."""
    return entry["endpoint"].rsplit("/", 1)[-1], entry["query"]["start_date"][:10]


def largest(group: int) -> float:
    """The largest process of a group, in MB."""
    sizes = [0.0]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                sizes.append(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return max(sizes)


def rate(entries: list[dict[str, Any]]) -> float:
    """Requests a second, from the first to the last."""
    return len(entries) / (max(entry["finished"] for entry in entries) - min(entry["arrived"] for entry in entries))


def main() -> None:
    """Measure both, then kill and resume."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--days", type=int, default=365)
    options = arguments.parse_args()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=back) for back in reversed(range(options.days))]
    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(options.days + 1)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            bare(url, Path(folder), days)
        seen = requests(url)
        print(f"bare loop: {len(seen)} requests, {rate(seen):.0f} requests/s")
        with tempfile.TemporaryDirectory() as folder:
            whole(url, Pull(url, Path(folder), days), seen[-1]["arrived"])
        with tempfile.TemporaryDirectory() as folder:
            killed(url, Pull(url, Path(folder), days), len(days) * 9)
    finally:
        server.terminate()
        server.wait()


def whole(url: str, pull: Pull, after: float) -> None:
    """One pull from beginning to end."""
    began, sizes = time.monotonic(), []
    process = pull.start()
    while process.poll() is None:
        sizes.append(largest(process.pid))
        time.sleep(0.2)
    seconds = time.monotonic() - began
    seen = requests(url, after)
    half = len(sizes) // 2
    print(
        f"ours: status {process.returncode}, {len(seen)} requests, {rate(seen):.0f} requests/s; {seconds:.1f} s in all "
        f"({len(seen) / seconds:.0f} requests/s); largest process {max(sizes[:half]):.0f} MB in the first half, "
        f"{max(sizes[half:]):.0f} MB in the second; {len(pull.windows())} windows complete"
    )


def killed(url: str, pull: Pull, expected: int) -> None:
    """A pull that is killed half way, and its continuation."""
    before = requests(url)[-1]["arrived"]
    process = pull.start()
    while len(requests(url, before)) < expected / 2 and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    had, stopped = pull.windows(), requests(url)[-1]["arrived"]
    process = pull.start("--resume")
    process.wait()
    again = Counter(map(asked, requests(url, stopped)))
    now = pull.windows()
    print(
        f"killed after {len(had)} of {expected} windows were committed, then --resume: status {process.returncode}, "
        f"{again.total()} requests, {len(again.keys() & had.keys())} of them for what was there; "
        f"{expected - len(now)} windows lost, {now.total() - len(now)} double"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        main()
