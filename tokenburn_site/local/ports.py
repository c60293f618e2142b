"""TCP ports on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from tokenburn_site.local.errors import LocalServiceError

LOOPBACK = "127.0.0.1"
POLL_S = 0.02


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot choose port 0 and report the result."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        port: int = sock.getsockname()[1]
        return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now; connections in TIME_WAIT do not count."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
        return True


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def wait_until(ready: Callable[[], bool], what: str, timeout_s: float, alive: Callable[[], bool]) -> None:
    """Poll `ready`. Raises LocalServiceError if `alive` ends first, or after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not alive():
            raise LocalServiceError("died", f"{what} ended while it was starting")
        if time.monotonic() > deadline:
            raise LocalServiceError("slow", f"{what} did not answer within {timeout_s:g} s")
        time.sleep(POLL_S)
