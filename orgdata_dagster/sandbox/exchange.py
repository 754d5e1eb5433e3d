"""One request and all ways to answer it, below the level of responses.

Here: the vendor's true answer as bytes; sending bytes, a part of a body, or a reset of the connection.
Add here when: a fault needs to do something else to a connection.
Keep out: what each fault does (`faults`).
"""

import socket
import struct
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Exchange:
    """A request to `app`, the vendor. A fault may answer in its place."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def respond(self, response: Response) -> None:
        """Answer with this instead of the vendor's answer."""
        await response(self.scope, self.receive, self.send)

    async def pass_on(self) -> None:
        """Let the vendor answer."""
        await self.app(self.scope, self.receive, self.send)

    async def true_answer(self) -> tuple[Message, bytes]:
        """The vendor's answer, without sending it: its start message (status, headers) and its whole body."""
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self.app(self.scope, self.receive, keep)
        return sent[0], b"".join(message.get("body", b"") for message in sent[1:])

    async def send_body(self, body: bytes, more: bool = False) -> None:
        """Send a part of the body, the last one unless there is `more`."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def disconnected(self) -> None:
        """Wait until the connection is gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def reset(self) -> None:
        """Reset the connection (TCP RST); unsent data is dropped."""
        transport = self.scope["sandbox.transport"]
        linger = struct.pack("ii", 1, 0)  # closing with linger 0 sends RST instead of FIN
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        await self.disconnected()
