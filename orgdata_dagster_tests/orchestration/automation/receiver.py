"""A local HTTP server that receives alerts and heartbeats.

Here: `Receiver`. Add here when: another test needs to see the messages. Keep out: assertions.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self


class Receiver:
    """`received`: bodies of the alerts. `pings`: paths of heartbeats. `refuse`: number of requests to refuse."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.pings: list[str] = []
        self.refuse = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                receiver.pings.append(self.path)
                self._answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
                if "/ping" in self.path:
                    receiver.pings.append(f"{self.path}: {body}")
                elif not receiver.refuse:
                    receiver.received.append(json.loads(body))
                self._answer()

            def _answer(self) -> None:
                self.send_response(500 if receiver.refuse else 200)
                receiver.refuse = max(0, receiver.refuse - 1)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[str]:
        """The alerts since the last call, each as subject and text."""
        found = [f"{each['title']}\n{each['message']}" for each in self.received]
        self.received.clear()
        return found
