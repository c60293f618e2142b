"""A receiver of webhooks on loopback, which fails as often as it is told to and keeps what it got."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

PATH = "/services/T000/B000/secret-part-of-the-address"


class Receiver(http.server.ThreadingHTTPServer):
    """Answers with the given statuses in turn, and with 200 when they are used up."""

    daemon_threads = True

    def __init__(self, *statuses: int, delay_s: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.delay_s = delay_s
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(self.server.delay_s)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        with suppress(OSError):  # it waits no longer
            self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiving(*statuses: int, delay_s: float = 0.0) -> Iterator[Receiver]:
    server = Receiver(*statuses, delay_s=delay_s)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
