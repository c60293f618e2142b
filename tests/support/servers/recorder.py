"""Passes connections on to a server, and writes what was said as a HAR file: how tests/recordings/foreign/ was made.

    python -m tests.support.servers.recorder PORT FILE

prints its own port, and writes the file when its stdin ends. Clients are kept from asking for compression. HTTP/1.1.
"""

from __future__ import annotations

import base64
import json
import re
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import h11
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from tests.hostile.server import HostileServer, Peer

BLOCK: Final = 65536
HOST: Final = "peer.example:8000"
"""What the files have instead of the server's address."""
_UNWANTED: Final = re.compile(rb"(?im)^(?:accept-encoding|sec-websocket-extensions)(?=:)")


class Piece(NamedTuple):
    at: float
    is_sent: bool
    data: bytes


class Recorder:
    """`talks`: what was said on each connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.talks: list[list[Piece]] = []
        self.server = HostileServer(self._pass_on)

    def _pass_on(self, peer: Peer) -> None:
        talk: list[Piece] = []
        self.talks.append(talk)
        with socket.create_connection(("127.0.0.1", self._port)) as other, suppress(OSError):
            while True:
                for sock in select.select([peer.sock, other], [], [])[0]:
                    if not (data := sock.recv(BLOCK)):
                        return
                    if sock is peer.sock:
                        data = _UNWANTED.sub(lambda found: b"x" * len(found[0]), data)
                    talk.append(Piece(time.monotonic(), sock is peer.sock, data))
                    (other if sock is peer.sock else peer.sock).sendall(data)

    def har(self) -> dict[str, Any]:
        entries = sorted((pair for talk in list(self.talks) for pair in _entries(talk)), key=lambda pair: pair[0])
        log = {
            "version": "1.2",
            "creator": {"name": "a recorder", "version": "1"},
            "entries": [one for _, one in entries],
        }
        own = self.server.url.partition("//")[2]
        found: dict[str, Any] = json.loads(json.dumps({"log": log}).replace(own, HOST))
        return found


def _entries(talk: list[Piece]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Each request with its time."""
    sent, came = (b"".join(piece.data for piece in talk if piece.is_sent is side) for side in (True, False))
    whole = len(sent)
    while sent:
        at = _time_of(talk, whole - len(sent))
        asked, body, sent = _message(h11.Connection(h11.SERVER), sent)
        if not isinstance(asked, h11.Request):
            return
        reading = h11.Connection(h11.CLIENT)
        headers = [pair for pair in asked.headers if pair[0] not in {b"content-length", b"transfer-encoding"}]
        reading.send(h11.Request(method=asked.method, target=asked.target, headers=headers))
        reading.send(h11.EndOfMessage())
        answered, content, came = _message(reading, came)
        entry = _entry(asked, body, answered, content)
        if isinstance(answered, h11.InformationalResponse):
            entry["_webSocketMessages"] = list(_frames(talk))
            sent = b""
        yield at, entry


def _time_of(talk: list[Piece], offset: int) -> float:
    for piece in talk:
        if piece.is_sent and (offset := offset - len(piece.data)) < 0:
            return piece.at
    return 0.0


def _message(reading: h11.Connection, data: bytes) -> tuple[h11.Event | None, bytes, bytes]:
    """Its head, its body, and the bytes behind it."""
    reading.receive_data(data)
    head, body = None, b""
    while True:
        event = reading.next_event()
        if isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        over = event is h11.NEED_DATA or event is h11.PAUSED
        if over or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return head, body, reading.trailing_data[0]


def _entry(asked: h11.Request, body: bytes, answered: h11.Event | None, content: bytes) -> dict[str, Any]:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in asked.headers.raw_items()]
    host = next((value for name, value in headers if name.lower() == "host"), "")
    request: dict[str, Any] = {
        "method": asked.method.decode(),
        "url": f"http://{host}{asked.target.decode()}",
        "headers": [{"name": name, "value": value} for name, value in headers if not name.startswith("xxx")],
    }
    if body:
        request["postData"] = {"mimeType": _type(asked), "text": body.decode()}
    if not isinstance(answered, h11.Response | h11.InformationalResponse):
        return {"request": request, "response": {}}
    said = {"mimeType": _type(answered), "text": content.decode(errors="replace")}
    return {"request": request, "response": {"status": answered.status_code, "content": said}}


def _type(head: h11.Request | h11.Response | h11.InformationalResponse) -> str:
    return next((value.decode("latin-1") for name, value in head.headers if name == b"content-type"), "")


def _frames(talk: list[Piece]) -> Iterator[dict[str, Any]]:
    """The messages of a WebSocket, in their order."""
    heads = {True: b"", False: b""}
    readers = {True: StreamReader(), False: StreamReader()}
    begun: dict[bool, Any] = {}
    for piece in talk:
        side, data = piece.is_sent, piece.data
        if b"\r\n\r\n" not in heads[side]:
            heads[side] += data
            data = heads[side].partition(b"\r\n\r\n")[2]
        readers[side].feed_data(data)
        while True:
            parsing = begun.setdefault(side, Frame.parse(readers[side].read_exact, mask=side))
            try:
                next(parsing)
            except StopIteration as over:
                del begun[side]
                if over.value.opcode in {Opcode.TEXT, Opcode.BINARY}:
                    yield _frame(side, over.value)
            else:
                break


def _frame(is_sent: bool, frame: Frame) -> dict[str, Any]:
    data = bytes(frame.data)
    text = data.decode() if frame.opcode == Opcode.TEXT else base64.b64encode(data).decode()
    return {"type": "send" if is_sent else "receive", "opcode": int(frame.opcode), "data": text}


def main(port: str, file: str) -> None:
    recorder = Recorder(int(port))
    with recorder.server as server:
        print(json.dumps({"port": int(server.url.rpartition(":")[2])}), flush=True)
        sys.stdin.read()
    Path(file).write_text(json.dumps(recorder.har(), ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
