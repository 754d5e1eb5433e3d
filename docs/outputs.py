"""Records what the commands print on a terminal of 80 columns, against simulated vendors: `make docs-output`.

Here: which commands are recorded, and what of a recording may differ from machine to machine (paths, ports). Add here
when there is a new command. Keep out: the page around the recordings (commands.md, hooks.py).

    make docs-output              # all of them, a few minutes
    make docs-output ONLY=status  # the commands before it run too, because it shows what they have done
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

FOLDER = Path(__file__).with_name("output")
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TOKEN = re.compile(r"eyJ[\w.-]{20,}")
_PLACE = "/home/ada/work"  # as long as the temporary folder, so that lines are wrapped at the same places
_WIDTH = 80
_PLAIN = {"COLUMNS": str(_WIDTH), "LINES": "50", "NO_COLOR": "1", "TERM": "xterm", "PYTHONWARNINGS": "ignore"}
_SYNC = """type: orgdata_dagster.OctolisSync
attributes:
  name: contacts_out
  dataset: contacts
  source: "select email, firstname, consent_sms from octolis.contacts where consent_sms"
  key: [email]
"""


@dataclass(frozen=True)
class Recorded:
    """A command. lines: how many of its output are kept. terminal: false for a pipe, where progress is one line each.
    until: stop it with SIGTERM when it has printed this, because it does not end by itself."""

    name: str
    line: str
    lines: int = 40
    terminal: bool = True
    until: str = ""


def recordings() -> Sequence[Recorded]:
    """In the order in which they run."""
    first = datetime.now(UTC).date() - timedelta(days=2)
    return (
        Recorded("validate", "validate"),
        Recorded("plan", f"plan --from {first}"),
        Recorded("pull", f"pull --from {first}", terminal=False),
        Recorded("status", "status"),
        Recorded("query", "query 'select id, email, updated_date from institution_analytics.users limit 3'"),
        Recorded("show", "show institution_analytics.users"),
        Recorded("explain", "explain institution_analytics/users", lines=24),
        Recorded("preview", "preview institution_analytics/users"),
        Recorded("doctor", "doctor"),
        Recorded("sync", "sync contacts_out --dry-run", lines=26, terminal=False),
        Recorded("export", "export parquet institution_analytics octolis"),
        Recorded("dbt-init", "dbt init"),
        Recorded("metrics", "metrics", lines=14),
        Recorded("alerts-test", "alerts test"),
        Recorded("prepare", "prepare"),
        Recorded("backup", "backup ../backups/monday"),
        Recorded("restore", "restore ../backups/monday --replace"),
        Recorded("dev", "dev --port 3300", lines=3, until="Overview"),
    )


def main(only: str = "") -> None:
    """Record every command, or only the one of this name."""
    with tempfile.TemporaryDirectory(prefix="o") as name, _receiver() as receiver:
        folder = Path(name)
        others = {name: value for name, value in os.environ.items() if not name.startswith(("ORGDATA_", "DAGSTER_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**others, **_PLAIN, "PATH": path}
        keeper = Keeper(folder, only)
        made = Recorded("init", "init mine --vendors institution_analytics,octolis,together")
        keeper.keep(made, run(made, folder, environment))
        sync = folder / "mine" / "mine" / "defs" / "contacts_out"
        sync.mkdir()
        (sync / "defs.yaml").write_text(_SYNC)
        with _sandbox(folder, environment, keeper) as addresses:
            # together has no credentials, so that the recordings show what is said of such a vendor
            addresses = {name: value for name, value in addresses.items() if not name.startswith("TOGETHER")}
            environment |= {**addresses, "ORGDATA_HEARTBEAT_URL": receiver}
            environment["ORGDATA_ALERT_URL"] = receiver.replace("http://", "json://")
            for each in recordings():
                keeper.keep(each, run(each, folder / "mine", environment))


class Keeper:
    """Writes recordings, without what differs from machine to machine."""

    def __init__(self, folder: Path, only: str) -> None:
        self._folder, self._only = folder, only
        self.ports = {"3300": "3000"}

    def keep(self, recorded: Recorded, text: str) -> None:
        if self._only not in ("", recorded.name):
            return
        text = self._anywhere(text)
        lines = [line.rstrip() for line in text.splitlines()]
        if len(lines) > recorded.lines:
            lines = [*lines[: recorded.lines], "..."]
        FOLDER.mkdir(exist_ok=True)
        shown = self._anywhere(f"$ orgdata {recorded.line}")
        (FOLDER / f"{recorded.name}.txt").write_text("\n".join([shown, *lines]).rstrip() + "\n")

    def _anywhere(self, text: str) -> str:
        text = _TOKEN.sub("eyJ...", text).replace(str(self._folder), _PLACE)
        for port, usual in self.ports.items():
            text = text.replace(port, usual)
        return text


def run(recorded: Recorded, folder: Path, environment: dict[str, str]) -> str:
    """What a command prints."""
    command = ["/bin/sh", "-c", f"exec orgdata {recorded.line}"]
    ours, its = pty.openpty() if recorded.terminal else os.pipe()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=its, stderr=its
    ) as one:
        os.close(its)
        text = ""
        for part in _parts(ours):
            text += part
            if recorded.until and recorded.until in text:
                one.send_signal(signal.SIGTERM)
    os.close(ours)
    return _STYLE.sub("", text.replace("\r\n", "\n"))


def _parts(file: int) -> Iterator[str]:
    while True:
        try:
            part = os.read(file, 65536)
        except OSError:  # a terminal whose other side is closed
            return
        if not part:
            return
        yield part.decode(errors="replace")


@contextmanager
def _sandbox(folder: Path, environment: dict[str, str], keeper: Keeper) -> Iterator[dict[str, str]]:
    """The simulated vendors; yields the variables that point at them. Records what the command prints."""
    command = ["orgdata", "sandbox", "--port", "0", "--with-parent"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        lines = []
        for line in server.stdout:
            lines.append(line.strip())
            if line.startswith("export TRACKER_TOKEN"):
                break
        port = lines[0].rpartition(":")[2]
        keeper.ports[port] = "8099"
        keeper.keep(Recorded("sandbox", "sandbox"), "\n".join(lines))
        found = [line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export ")]
        yield {name: value.strip("'\"") for name, value in found}
        server.stdin.close()


class _Accepting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()

    do_GET = do_HEAD = do_POST

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _receiver() -> Iterator[str]:
    """A server that accepts alerts; yields its address."""
    server = HTTPServer(("127.0.0.1", 0), _Accepting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
