"""A raw-socket server on loopback whose only part that differs is what it does with a connection."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType

BLOCK = 64 * 1024


class Gone(Exception):
    """The peer closed, or the server stops: the behaviour ends here."""


class Peer:
    """One accepted connection, as a behaviour sees it. Every call raises Gone once the peer is away."""

    def __init__(self, sock: socket.socket, server: HostileServer) -> None:
        self.sock = sock
        self.server = server
        self.last = b""
        self._unread = b""

    def read_request(self) -> bytes:
        """The next whole request (head and body by its content-length), counted."""
        while b"\r\n\r\n" not in self._unread:
            self._unread += self.receive()
        head, _, body = self._unread.partition(b"\r\n\r\n")
        rest = bytearray(body)
        size = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        while len(rest) < size:
            rest += self.receive()
        self._unread = bytes(rest[size:])
        self.count(head + b"\r\n\r\n" + bytes(rest[:size]))
        return head

    def count(self, request: bytes) -> None:
        """Note a request that was read by other means."""
        self.last = request
        self.server.count_request(request)

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as exc:
            raise Gone from exc

    def send_forever(self, data: bytes) -> None:
        """Until the peer closes or the server stops."""
        while True:
            self.send(data)

    def drip(self, data: bytes, gap_s: float) -> None:
        """One byte every `gap_s` seconds; returns when all are sent."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            self.pause(gap_s)

    def pause(self, seconds: float) -> None:
        """Say nothing for so long; raises Gone as soon as the peer closes."""
        ready, _, _ = select.select([self.sock], [], [], seconds)
        if ready:
            self.receive()

    def hold(self) -> None:
        """Say nothing until the peer closes."""
        while True:
            self.receive()

    def reset(self) -> None:
        """RST instead of FIN: the peer's next read fails with ECONNRESET."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def receive(self) -> bytes:
        """What comes next, at least a byte."""
        try:
            data = self.sock.recv(BLOCK)
        except OSError as exc:
            raise Gone from exc
        if not data:
            raise Gone
        return data


Script = Callable[[Peer], None]


class HostileServer:
    """Runs `script` once per connection, each in its own thread, from `__enter__` to `__exit__`.

    `requests` holds every request it read, whole; `connections` counts what it accepted; `stopping` is set at the end.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", unix: str | None = None
    ) -> None:
        """`unix`: the path of a socket, in the place of a port."""
        self._script = script
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        self.host, self.port = host, 0
        if unix is None:
            self._listener = socket.create_server((host, 0))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(unix)
            self._listener.listen()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    def count_request(self, request: bytes) -> None:
        with self._lock:
            self.requests.append(request)

    def __enter__(self) -> HostileServer:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self.stopping.set()
            for sock in self._open:
                with contextlib.suppress(OSError):  # already closed by its script
                    sock.shutdown(socket.SHUT_RDWR)
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        alive = [thread.name for thread in self._threads if thread.is_alive()]
        assert not alive, f"threads of the hostile server are left over: {alive}"

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"hostile-{self.port}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # the listener was shut down: the server stops
            with self._lock:
                if self.stopping.is_set():
                    sock.close()
                    return
                self.connections += 1
                self._open.add(sock)
            self._start(partial(self._serve, sock))

    def _serve(self, sock: socket.socket) -> None:
        carried = sock
        try:
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                carried = self._tls.wrap_socket(sock, server_side=True)
                self._swap(sock, carried)
            self._script(Peer(carried, self))
        except (Gone, OSError):
            pass  # the client left, which is what a client should do here
        finally:
            self._swap(carried, None)
            carried.close()

    def _swap(self, old: socket.socket, new: socket.socket | None) -> None:
        with self._lock:
            self._open.discard(old)
            if new is not None:
                self._open.add(new)
                if self.stopping.is_set():
                    new.shutdown(socket.SHUT_RDWR)
