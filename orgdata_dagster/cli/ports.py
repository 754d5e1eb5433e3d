"""TCP ports on this machine: checks, before slow work begins, that a port is free.

Here: `check_free`. Keep out: serving.
"""

from __future__ import annotations

import errno
import os
import socket

from orgdata_dagster.cli.errors import UserError


def check_free(host: str, port: int) -> None:
    """Raise UserError if no process could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore a server that has just ended
        try:
            probe.bind((host, port))
        except OverflowError:
            raise UserError(f"--port {port}: a port is a number from 0 to 65535") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"--port {port} is in use; end the program that listens there, or choose another --port"
                ) from None
            raise UserError(f"--port {port} on {host}: {os.strerror(error.errno or 0)}; choose another one") from None
