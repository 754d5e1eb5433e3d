"""Together's rate limit with its real minute: two concurrent pulls, a crash and a restart, judged by the server's log.

It takes about seven minutes, too long for a test. It prints the seconds between requests, and whether the server
refused any. The exit status is 1 if a rule was broken, or if queued requests were more than 63 s apart.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time

from orgdata_dagster import settings
from orgdata_dagster.sandbox.environment import environment
from orgdata_dagster.sandbox.log import most_at_once
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.together import demo

MINUTE, QUEUED = 60.0, 63.0
CRASH_AFTER = 2  # requests


def pull(selection: str) -> subprocess.Popen[bytes]:
    """`orgdata pull` in a process group of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "orgdata_dagster.cli", "pull", selection]
    return subprocess.Popen(command, start_new_session=True)


def main() -> int:
    """Run it; returns the exit status."""
    with tempfile.TemporaryDirectory() as home, Sandbox(demo()) as sandbox:
        os.environ.update({settings.HOME: home, "DAGSTER_HOME": "", settings.WAREHOUSE: "", **environment(sandbox.url)})
        first, second = pull("together"), pull("together")
        while len(sandbox.log.entries()) < CRASH_AFTER:
            time.sleep(1)
        os.killpg(first.pid, signal.SIGKILL)
        restarted = pull("together/users")
        statuses = [process.wait() for process in (second, restarted)]
        entries = sandbox.log.entries()
    gaps = [new.arrived - old.arrived for old, new in itertools.pairwise(entries)]
    print(f"{len(entries)} requests; seconds between them: {', '.join(f'{gap:.2f}' for gap in gaps)}")
    violations, at_once = sandbox.together.limiter.violations, most_at_once(entries)
    print(f"violations {violations}, most at once {at_once}, exit statuses of the pulls {statuses}")
    kept = violations == 0 and at_once == 1 and min(gaps) >= MINUTE
    return 0 if kept and max(gaps) <= QUEUED and statuses == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main())
