"""A raw-socket target that keeps every byte it gets and lets h11, which is strict, say which requests they are."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

import h11

LIMIT_S: Final = 10.0
Headers = list[tuple[bytes, bytes]]


class Seen(NamedTuple):
    """One request, as a server takes it."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.headers if key == name.lower().encode()]


class Answer(NamedTuple):
    status: int = 200
    headers: tuple[tuple[str, bytes], ...] = ()
    body: bytes = b'{"text": "hi"}'


class RecordingTarget:
    """`answer` may be replaced. `requests` and `broken` are of all connections since `forget`: what was asked, and what
    is no request. Read them after `settle`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.answer: Callable[[Seen], Answer] = lambda _: Answer()
        self._threads: list[threading.Thread] = []
        self._accepted: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.forget()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forget(self) -> None:
        self.requests: list[Seen] = []
        self.broken: list[str] = []

    def settle(self) -> None:
        """Wait until all connections are closed and all their bytes are read."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:  # those before it are accepted before it
            own = last.getsockname()[1]
        while self._accepted.get(timeout=LIMIT_S) != own:
            pass
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive(), "a connection is still open"
        self._threads.clear()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, (_, port) = self._listener.accept()
                thread = threading.Thread(target=self._talk, args=(sock,), daemon=True)
                thread.start()
                self._threads.append(thread)
                self._accepted.put(port)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _talk(self, sock: socket.socket) -> None:
        conn = h11.Connection(h11.SERVER)
        sock.settimeout(LIMIT_S)
        with sock, suppress(OSError):
            try:
                while (seen := self._request(conn, sock)) is not None:
                    self.requests.append(seen)
                    self._respond(conn, sock, self.answer(seen))
            except h11.RemoteProtocolError as exc:
                self.broken.append(str(exc))

    def _request(self, conn: h11.Connection, sock: socket.socket) -> Seen | None:
        """The next one; None at the end of the connection."""
        asked: h11.Request | None = None
        body = b""
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                conn.receive_data(sock.recv(65536))
            elif event is h11.PAUSED:
                self.broken.append("bytes behind the last request")
                return None
            elif isinstance(event, h11.Request):
                asked = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and asked is not None:
                return Seen(asked.method.decode(), asked.target.decode(), list(asked.headers), body)
            elif isinstance(event, h11.ConnectionClosed):
                return None

    @staticmethod
    def _respond(conn: h11.Connection, sock: socket.socket, answer: Answer) -> None:
        """By hand: h11 would refuse headers that only a hostile target sends."""
        typed = any(name.lower() == "content-type" for name, _ in answer.headers)
        headers = [*([] if typed else [("Content-Type", b"application/json")]), *answer.headers]
        head = f"HTTP/1.1 {answer.status} So\r\nContent-Length: {len(answer.body)}\r\n".encode()
        conn.send(h11.Response(status_code=answer.status, headers=[("Content-Length", str(len(answer.body)))]))
        conn.send(h11.Data(data=answer.body))
        conn.send(h11.EndOfMessage())
        sock.sendall(head + b"".join(b"%b: %b\r\n" % (k.encode(), v) for k, v in headers) + b"\r\n" + answer.body)
        if conn.their_state is h11.DONE and conn.our_state is h11.DONE:
            conn.start_next_cycle()


@contextmanager
def recording_target() -> Iterator[RecordingTarget]:
    target = RecordingTarget()
    thread = threading.Thread(target=target.serve, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        target.close()
        thread.join(LIMIT_S)
