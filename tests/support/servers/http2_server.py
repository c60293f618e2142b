"""A server of HTTP/2 on the library's own server side, in a script of the hostile server's threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings

from tests.hostile.server import Gone, Peer, Script


@dataclass
class Asked:
    """A request, and how to answer it. `number`: of all requests that came, from 1."""

    server: Http2Session
    stream: int
    headers: list[tuple[str, str]]
    number: int = 0
    body: bytes = b""

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    def begin(self, *headers: tuple[str, str], status: int = 200, end: bool = False) -> None:
        self.server.h2.send_headers(self.stream, [(":status", str(status)), *headers], end_stream=end)
        self.server.flush()

    def send(self, data: bytes, *, end: bool = False) -> None:
        """More of the body. Tests send less than the window has."""
        for at in range(0, len(data) or 1, 16_000):
            piece = data[at : at + 16_000]
            self.server.h2.send_data(self.stream, piece, end_stream=end and at + 16_000 >= len(data))
        self.server.flush()

    def answer(self, body: bytes, *headers: tuple[str, str], status: int = 200) -> None:
        self.begin(*(headers or (("content-type", "application/json"),)), status=status)
        self.send(body, end=True)

    def refuse(self, code: int) -> None:
        self.server.h2.reset_stream(self.stream, code)
        self.server.flush()


Answer = Callable[[Asked], None]


@dataclass
class Seen:
    """What all connections of a server saw. `most`: streams that were open at a time on one connection."""

    asked: list[Asked] = field(default_factory=list)
    resets: list[tuple[int, int]] = field(default_factory=list)
    """Streams that the client reset, and why."""
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Http2Session:
    """One connection."""

    def __init__(self, peer: Peer, seen: Seen, answer: Answer, settings: dict[SettingCodes, int]) -> None:
        self.peer = peer
        self._seen = seen
        self._answer = answer
        self._open: dict[int, Asked] = {}
        self._is_gone = False
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        shown = {SettingCodes.MAX_CONCURRENT_STREAMS: 1000, **settings}
        self.h2.local_settings = Settings(client=False, initial_values=shown)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.peer.send(data)

    def go_away(self, last_stream: int | None = None) -> None:
        """Say so, and read no frame any more."""
        self.h2.close_connection(0, last_stream_id=last_stream)
        self.flush()
        self._is_gone = True

    def serve(self) -> None:
        while True:
            data = self.peer.receive()
            for event in [] if self._is_gone else self.h2.receive_data(data):
                self._take(event)
            self.flush()

    def _take(self, event: object) -> None:
        if isinstance(event, RequestReceived):
            self._open[event.stream_id] = Asked(
                self, event.stream_id, [(str(name), str(value)) for name, value in event.headers]
            )
            self._seen.most = max(self._seen.most, self.h2.open_inbound_streams)
        elif isinstance(event, DataReceived):
            self._open[event.stream_id].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            asked = self._open.pop(event.stream_id)
            with self._seen.lock:
                self._seen.asked.append(asked)
                asked.number = len(self._seen.asked)
            self._answer(asked)
        elif isinstance(event, StreamReset):
            self._open.pop(event.stream_id, None)
            self._seen.resets.append((event.stream_id, int(event.error_code)))


def http2_script(answer: Answer, **settings: int) -> tuple[Script, Seen]:
    """A script that answers each whole request by `answer`, in the order of their ends. `settings` by their names."""
    seen = Seen()
    named = {SettingCodes[name.upper()]: value for name, value in settings.items()}

    def script(peer: Peer) -> None:
        session = Http2Session(peer, seen, answer, named)
        try:
            session.serve()
        except Gone:
            return

    return script, seen
