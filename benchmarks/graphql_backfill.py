"""A backfill of a year, launched as the UI does it: through the webserver's GraphQL, by the daemon, in a few runs.

It pulls two assets of channel_reports, one channel and 365 days, from the sandbox. Before that, `orgdata plan`
estimates the number of requests.

    python benchmarks/graphql_backfill.py [--days 365]

The exit status is 1 if the backfill fails, takes more than four runs, or sends over 5 % more or fewer requests than
planned.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
    ... on PartitionSetNotFoundError { message } ... on UnauthorizedError { message }
  }
}
"""
STATUS = """
query Status($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename ... on PartitionBackfill { status runs: unfinishedRuns { id } } ... on PythonError { message }
  }
}
"""


def write_project(folder: Path, first: str, endpoints: list[str]) -> None:
    defs = folder / "backfill_project" / "defs" / "channel_reports"
    defs.mkdir(parents=True)
    for path in (folder / "backfill_project", folder / "backfill_project" / "defs"):
        (path / "__init__.py").touch()
    (defs / "defs.yaml").write_text(
        f'type: orgdata_dagster.ChannelReports\nattributes: {{start_date: "{first}", channels: [1], cron: null, '
        f"tables: [{', '.join(f'{{name: {name}}}' for name in endpoints)}], limits: {{per_minute: null}}}}\n"
    )
    (folder / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "backfill_project"\ncode_location_name = "orgdata"\n'
    )
    for name in ("dagster.yaml", "workspace.yaml"):
        (folder / name).write_text((ROOT / name).read_text())


def ask(url: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    if "errors" in answer:
        raise SystemExit(f"the webserver refused: {answer['errors']}")
    found: dict[str, Any] = next(iter(answer["data"].values()))
    return found


def backfill(url: str, keys: list[list[str]], days: list[str]) -> tuple[str, float]:
    """Launch a backfill and wait for its end; returns its id and its duration in seconds."""
    params = {"assetSelection": [{"path": key} for key in keys], "partitionNames": days, "tags": []}
    launched = ask(url, LAUNCH, {"params": params})
    if "backfillId" not in launched:
        raise SystemExit(f"not launched: {launched}")
    began = time.monotonic()
    while time.monotonic() - began < 900:
        status = ask(url, STATUS, {"id": launched["backfillId"]})["status"]
        if not status.startswith(("REQUESTED", "CANCELING")):
            print(f"the backfill ended: {status}")
            break
        time.sleep(3)
    return launched["backfillId"], time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--port", type=int, default=3971)
    options = parser.parse_args()
    from orgdata_dagster import settings
    from orgdata_dagster.sandbox.channel_reports import demo
    from orgdata_dagster.sandbox.environment import environment
    from orgdata_dagster.sandbox.limits import UNLIMITED
    from orgdata_dagster.sandbox.server import Sandbox

    endpoints = ["reports_per_user", "reports_per_state"]
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=back)) for back in range(options.days, 0, -1)]
    folder = Path(tempfile.mkdtemp(prefix="graphql-backfill-"))
    write_project(folder / "project", days[0], endpoints)
    os.environ |= {settings.HOME: str(folder / "home"), settings.PROJECT: str(folder / "project")}
    for name in ("DAGSTER_HOME", settings.WAREHOUSE):
        os.environ.pop(name, None)
    command = [sys.executable, "-W", "ignore", "-m", "orgdata_dagster.cli"]
    with Sandbox(demo(days=options.days, limits=UNLIMITED)) as sandbox:
        os.environ |= environment(sandbox.url)
        said = subprocess.check_output([*command, "plan", "*", "--from", days[0], "--to", days[-1], "--json"])
        planned = json.loads(said)["vendors"][0]["requests"]
        with (folder / "dev.log").open("wb") as log:
            dev = subprocess.Popen([*command, "dev", "--port", str(options.port)], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{options.port}"
            for _ in range(120):
                with suppress(httpx.TransportError):
                    if httpx.get(f"{url}/server_info").is_success:
                        break
                time.sleep(1)
            _, seconds = backfill(url, [["channel_reports", name] for name in endpoints], days)
        finally:
            dev.terminate()
            dev.wait(60)
        asked = len(sandbox.log.entries())
    from orgdata_dagster.orchestration.instance.setup import shared_instance
    from orgdata_dagster.orchestration.resources import WarehouseResource

    with shared_instance() as instance:
        statuses = [run.status.value for run in instance.get_runs()]
    with WarehouseResource().open().reading() as connection:
        row = connection.execute("SELECT count(*) FROM _orgdata.coverage WHERE complete").fetchone()
    landed = row[0] if row else 0
    print(
        f"{options.days} days of {len(endpoints)} assets: {seconds:.0f} s, runs {statuses}, {landed} partitions landed"
    )
    print(f"requests: {planned} planned, {asked} sent ({(asked - planned) / planned:+.1%})")
    good = set(statuses) == {"SUCCESS"} and len(statuses) <= 4 and landed == options.days * len(endpoints)
    return 0 if good and abs(asked - planned) <= 0.05 * planned else 1


if __name__ == "__main__":
    sys.exit(main())
