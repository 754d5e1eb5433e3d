"""The sandbox in a process of its own, which can be asked for its log and told to play faults.

Here: the client and the process. The process builds a world, writes its truth into a folder, and then prints its
address. Keep out: which worlds there are.

    python -m benchmarks.outside.server BUILDER '{"rows": 1000}' FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.outside import group as groups
from benchmarks.outside import stopping
from benchmarks.outside.truth import Table, load

ROOT = Path(__file__).parents[2]


class Server:
    """A running sandbox with a world. `folder` has the truth."""

    def __init__(self, builder: str, options: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "benchmarks.outside.server", builder, json.dumps(options), str(folder)]
        with groups.STARTING:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            groups.OWN.add(self._process.pid)
        stopping.add(self._process.pid, self._process.kill)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the sandbox with {builder} did not start; its output is above")
        described = json.loads((folder / "world.json").read_text())
        self.defs: dict[str, dict[str, Any]] = described["defs"]
        first, last = (date.fromisoformat(day) for day in described["days"])
        self.days = (first, last)
        self.tables: list[Table] = load(folder / "tables.json")

    def log(self, vendor: str | None = None) -> list[dict[str, Any]]:
        """The requests since the last `forget`."""
        found: list[dict[str, Any]] = self._ask(f"log?vendor={vendor}" if vendor else "log")
        return found

    def forget(self) -> None:
        """Empty the log, and cancel all faults."""
        self._ask("log", "DELETE")
        self._ask("faults", "DELETE")

    def fault(self, vendor: str, fault: dict[str, Any], *, times: int = 1, after: int = 0) -> None:
        """Let the vendor play a fault on `times` requests, after `after` requests without a fault."""
        self._ask("faults", "POST", {"vendor": vendor, "times": times, "after": after, **fault})

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        stopping.remove(self._process.pid)
        groups.OWN.discard(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ask(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def main(builder: str, options: str, folder: str) -> None:
    """Serve a world until SIGTERM."""
    from benchmarks.outside import five_vendors, many_rows
    from orgdata_dagster.sandbox.server import serve

    world = {**many_rows.BUILDERS, **five_vendors.BUILDERS}[builder](**json.loads(options))
    world.write(Path(folder))
    serve(vendors=world.vendors, announce=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
