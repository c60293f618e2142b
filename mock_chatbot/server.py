"""uvicorn as this server needs it: its port known at once, an end without ceremony."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import orjson
import uvicorn
from starlette.types import ASGIApp

BACKLOG = 4096


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str, port: int) -> None:
        super().__init__(config)
        self._ready = orjson.dumps({"url": url, "port": port}).decode()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._ready}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals keep what they do by default: nothing here is worth saving, so an end may be sudden."""
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


def serve(app: ASGIApp, sock: socket.socket, *, access_log: bool = False) -> None:
    """Serves until a signal ends the process; says where on stdout as one JSON line once it listens."""
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=None,  # a client may think for minutes without reading
        ws_ping_timeout=None,
        lifespan="off",
        access_log=access_log,
        log_level="info" if access_log else "warning",
        backlog=BACKLOG,
        timeout_keep_alive=75,
        server_header=False,
    )
    _Server(config, url, port).run(sockets=[sock])
