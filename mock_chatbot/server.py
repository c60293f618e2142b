"""uvicorn with its port known immediately and a fast shutdown."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import uvicorn
from starlette.types import ASGIApp

BACKLOG = 4096


Beside = Callable[[], Awaitable[dict[str, Any]]]
"""Starts another server on the same loop; what it returns is added to the line with the addresses."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: dict[str, Any], beside: Beside | None) -> None:
        super().__init__(config)
        self._ready, self._beside = ready, beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        more = await self._beside() if self._beside else {}
        await super().startup(sockets)
        sys.stdout.write(f"{orjson.dumps(self._ready | more).decode()}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals keep their default actions: nothing here needs saving, so a sudden end is harmless."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def serve(app: ASGIApp, sock: socket.socket, beside: Beside | None = None, *, access_log: bool = False) -> None:
    """Serves until a signal ends the process; prints its addresses to stdout as one JSON line once it listens."""
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=None,  # a client may pause for minutes without reading
        ws_ping_timeout=None,
        lifespan="off",
        access_log=access_log,
        log_level="info" if access_log else "warning",
        backlog=BACKLOG,
        timeout_keep_alive=75,
        server_header=False,
    )
    _Server(config, {"url": url, "port": port}, beside).run(sockets=[sock])
